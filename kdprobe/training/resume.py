"""A training notes after every epoch how it stands, and one that was interrupted goes on from there."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.storage.resume import ResumeStore


@dataclass(frozen=True)
class ResumePoint:
    """How a training stood after an epoch."""

    stage: int  #: index of the running stage
    epoch: int  #: epochs done over all stages
    step: int  #: optimiser steps done over all stages
    seconds: float  #: of training so far
    threads: int
    snapshots: list[str]  #: names of those that were there
    failed: list[int]  #: epochs whose snapshot could not be written
    lines: list[dict[str, Any]]  #: of the log: one for each epoch, from 0
    lightning: dict[str, Any] | None  #: weights, optimiser, schedules and loops as Lightning wants them back

    @classmethod
    def of_nothing(cls) -> "ResumePoint":
        """Before the first epoch."""
        return cls(0, 0, 0, 0.0, torch.get_num_threads(), [], [], [], None)

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """Parameters and buffers of the network, by its own names."""
        state, own = self.lightning["state_dict"], "student."
        return {name.removeprefix(own): value for name, value in state.items() if name.startswith(own)}


class Resume:
    """The resume points of one training in `folder` (`resume.ckpt` and the one before).

    `asked`: what decides the weights, as plain JSON; torch's version is added to it. A point of a training that was
    asked otherwise is refused, because going on from it would give the weights of neither.
    """

    def __init__(self, folder: str | Path, asked: Mapping[str, Any]) -> None:
        self.store = ResumeStore(folder)
        self.asked = json.loads(json.dumps({**asked, "torch": torch.__version__}))
        self._found: list[ResumePoint | None] = []  # what `point` found, once it has looked

    def check(self) -> None:
        """Raises ConfigError if the newest point belongs to a training that was asked otherwise."""
        newest = next(self.store.states(), None)
        if newest is not None:
            self._check(newest)

    def point(self, snapshots: SnapshotStore) -> ResumePoint | None:
        """The newest valid point whose snapshots are all there and valid; None if there is none. Looks only once.

        What cannot be used is named in a warning. Raises ConfigError if it was asked otherwise.
        """
        if not self._found:
            self._found = [self._find(snapshots)]
        return self._found[0]

    def _find(self, snapshots: SnapshotStore) -> ResumePoint | None:
        held = None
        for state in self.store.states():
            self._check(state)
            point = ResumePoint(**{field.name: state[field.name] for field in fields(ResumePoint)})
            if held is None:
                held = {snapshot.name for snapshot in snapshots.list()}
            missing = [name for name in point.snapshots if name not in held]
            if not missing:
                self._warn_of_threads(point)
                return point
            reasons = "; ".join(reason for path, reason in snapshots.skipped if path.stem in missing)
            warnings.warn(
                f"The training in {self.store.folder} cannot go on after epoch {point.epoch}: "
                f"{reasons or f'the snapshot {missing[0]} is missing.'}",
                UserWarning,
                stacklevel=2,
            )
        return None

    def save(self, point: ResumePoint) -> None:
        """Notes `point`; the one before stays. Raises SnapshotError if the system refuses."""
        state = {field.name: getattr(point, field.name) for field in fields(ResumePoint)}
        self.store.save({"asked": self.asked, **state}, epoch=point.epoch, step=point.step)
        self._found.clear()

    def discard(self) -> None:
        """Removes all points: the training is finished, or begins anew."""
        self.store.discard()
        self._found.clear()

    def _check(self, state: Mapping[str, Any]) -> None:
        begun = state["asked"]
        keys = sorted(key for key in {*begun, *self.asked} if begun.get(key) != self.asked.get(key))
        if keys:
            torches = f"torch {begun.get('torch')}, here {self.asked['torch']}"
            what = ", ".join(torches if key == "torch" else key for key in keys)
            raise ConfigError(
                f"{self.store.folder} holds a training that was interrupted after epoch {state['epoch']} and was begun "
                f"with other settings ({what} differ); go on with those, remove that folder to train it anew, or "
                "choose another one."
            )

    def _warn_of_threads(self, point: ResumePoint) -> None:
        if point.threads != torch.get_num_threads():
            warnings.warn(
                f"The training in {self.store.folder} ran on {point.threads} threads up to epoch {point.epoch} and "
                f"goes on with {torch.get_num_threads()}: its weights may differ in the last digits from those of one "
                "that was not interrupted.",
                UserWarning,
                stacklevel=3,
            )


def remove_newer(point: ResumePoint, snapshots: SnapshotStore) -> None:
    """Removes the snapshots that are newer than `point`: their epochs are trained, and saved, again.

    Raises SnapshotError if the system refuses.
    """
    for path in sorted(snapshots.folder.glob("*.h5")) if snapshots.folder.is_dir() else []:
        if path.stem not in point.snapshots and not path.name.startswith("."):
            try:
                path.unlink()
            except OSError as error:
                raise SnapshotError(
                    f"Cannot remove {path}: {error.strerror}; correct its permissions."
                ) from error

"""A training notes after every epoch how it stands, and one that was interrupted goes on from there."""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from kdprobe.errors import ConfigError, SnapshotCorruptError, SnapshotError
from kdprobe.storage import SnapshotStore, is_snapshot_file
from kdprobe.storage.atomic import fsync_folder, named_failure
from kdprobe.storage.resume import ResumeStore
from kdprobe.storage.snapshot_record import described, named_place


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
        return self.state("student")

    def state(self, part: str) -> dict[str, torch.Tensor]:
        """The same of another part of the training (`connectors`, `peers.NAME`); empty if it had none."""
        state, own = self.lightning["state_dict"], f"{part}."
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
        """The newest valid point whose snapshots are all there and valid; None if none was ever noted. Looks only once.

        A point that is passed over is named in a warning. Raises ConfigError if it was asked otherwise; SnapshotError
        if there are points and none can be used, or a file cannot be read: nothing is removed then.
        """
        if not self._found:
            self._found = [self._find(snapshots)]
        return self._found[0]

    def _find(self, snapshots: SnapshotStore) -> ResumePoint | None:
        sound: set[str] = set()
        lost = []
        for state in self.store.states():
            self._check(state)
            point = ResumePoint(**{field.name: state[field.name] for field in fields(ResumePoint)})
            reason = _lost(point, snapshots, sound)
            if reason is None:
                for sentence in lost:
                    warnings.warn(sentence, UserWarning, stacklevel=3)
                self._warn_of_threads(point)
                return point
            lost.append(
                f"The training in {self.store.folder} cannot go on after epoch {point.epoch}: {reason}"
            )
        if not self.store.files():
            return None
        why = lost[-1] if lost else f"The resume points in {self.store.folder} are damaged."
        raise SnapshotError(
            f"{why} Nothing was removed: restore from a copy what is lost, or remove {self.store.folder} to train it "
            "anew."
        )

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


def _lost(point: ResumePoint, snapshots: SnapshotStore, sound: set[str]) -> str | None:
    """Which snapshot of `point` is gone or damaged, in a sentence; None if none. `sound`: those known to be valid."""
    for name in point.snapshots:
        path = snapshots.folder / f"{name}.h5"
        if name in sound or not is_snapshot_file(path):  # older versions noted what is none of a training's
            continue
        if not os.path.lexists(path):
            return f"the snapshot {name} is missing."
        try:
            described(path, snapshots.in_memory)
        except SnapshotCorruptError as error:
            return str(error)
        sound.add(name)
    return None


def snapshot_files(folder: Path) -> list[Path]:
    """All files in `folder` that are named like snapshots, by epoch and step. Raises SnapshotError."""
    with named_failure("list", folder):
        found = [path for path in folder.iterdir() if is_snapshot_file(path)] if folder.exists() else []
    return sorted(found, key=named_place)


def remove_snapshots(paths: list[Path]) -> None:
    """Removes `paths`, all in one folder, the newest first, also from the disk. Raises SnapshotError."""
    for path in sorted(paths, key=named_place, reverse=True):
        with named_failure("remove", path):
            path.unlink(missing_ok=True)
    if paths:
        with named_failure("remove", paths[0]):
            fsync_folder(paths[0].parent)


def remove_newer(point: ResumePoint, snapshots: SnapshotStore) -> None:
    """Removes the snapshots taken since `point` was noted: their epochs are trained, and saved, again.

    What is not named like a snapshot stays. Raises SnapshotError if the system refuses.
    """
    since = (point.epoch, point.step)
    files = snapshot_files(snapshots.folder)
    remove_snapshots([p for p in files if named_place(p)[:2] >= since and p.stem not in point.snapshots])

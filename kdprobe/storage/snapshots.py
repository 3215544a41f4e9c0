"""Weights of a network, one immutable file per epoch; the folder's listing is the index."""

import operator
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.records import Record
from kdprobe.storage.atomic import fsync_folder, named_failure, write_atomically
from kdprobe.storage.contents import read_header, read_tensors
from kdprobe.storage.envelope import corrupt, seal
from kdprobe.storage.image import Entry, build_image
from kdprobe.storage.names import plain_names

_KIND = "snapshot"
_NAME = re.compile(r"epoch-(\d{5,})_step-(\d{9,})\.h5", re.ASCII)
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Snapshot(Record):
    """One verified snapshot file."""

    path: Path
    epoch: int  #: completed training epochs; 0 for the initial weights
    step: int  #: completed optimiser steps
    stage: int  #: index of the recipe's stage in which it was taken
    digest: str  #: sha256 (hex) of all bytes after the user block

    @property
    def name(self) -> str:
        """File name without suffix, for example ``epoch-00003_step-000001173``."""
        return self.path.stem


class SnapshotStore:
    """The snapshots in one folder. Works on any nn.Module; the folder is made by the first save."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self._skipped: list[tuple[Path, str]] = []

    @property
    def skipped(self) -> list[tuple[Path, str]]:
        """(path, reason) of the files that the last `list` did not take for valid snapshots."""
        return list(self._skipped)

    def save(
        self, model: torch.nn.Module | Mapping[str, torch.Tensor], *, epoch: int, step: int, stage: int = 0
    ) -> Snapshot:
        """Writes all parameters and buffers of `model` (or a state dict); on return they are on the disk.

        Names lose the prefixes of wrappers (`module.`, `_orig_mod.`). There is one file per (epoch, step):
        an existing one with equal tensors is kept, with its stage; a damaged one is written anew, with a
        warning.

        Raises InputError for a negative epoch, step or stage; SnapshotError if the existing file has other
        tensors or is from a newer kdprobe, if a value cannot be stored, or if the system refuses.
        """
        numbers = {
            "epoch": _number("epoch", epoch),
            "step": _number("step", step),
            "stage": _number("stage", stage),
        }
        path = self.folder / snapshot_file(numbers["epoch"], numbers["step"])
        image, entries = build_image({"kind": _KIND, **numbers}, _plain_state(model))
        digest = seal(image)
        existing = self._existing(path, entries)
        if existing is not None:
            with named_failure("write", path):
                fsync_folder(self.folder)  # an earlier save may have failed at just this
            return existing
        write_atomically(path, image.getbuffer())
        return Snapshot(path, **numbers, digest=digest)

    def list(self) -> list[Snapshot]:
        """The valid snapshots by stored (epoch, step), every byte verified; other .h5 files go to `skipped`.

        A folder that does not exist holds no snapshots. Raises SnapshotError if the folder cannot be listed.
        """
        self._skipped = []
        found = []
        with named_failure("list", self.folder):
            paths = sorted(p for p in self.folder.iterdir() if _visible(p)) if self.folder.exists() else []
        for path in paths:
            try:
                found.append(_described(path)[0])
            except SnapshotError as error:
                self._skipped.append((path, str(error)))
        return sorted(found, key=lambda snapshot: (snapshot.epoch, snapshot.step))

    def load(self, snapshot: Snapshot | str | os.PathLike) -> dict[str, torch.Tensor]:
        """The state dict in `snapshot` (from `list` or `save`, or a path): CPU tensors in the order saved.

        Raises SnapshotCorruptError if the file is damaged, claims what it must not, or has changed since it
        was listed; SnapshotError if it cannot be read or comes from a newer kdprobe.
        """
        path = snapshot.path if isinstance(snapshot, Snapshot) else Path(snapshot)
        header, tensors, digest = read_tensors(path, _KIND)
        _described_by(path, header, digest)
        if isinstance(snapshot, Snapshot) and digest != snapshot.digest:
            raise corrupt(path, "its content has changed since it was listed")
        return tensors

    def _existing(self, path: Path, entries: Sequence[Entry]) -> Snapshot | None:
        if not os.path.lexists(path):
            return None
        try:
            snapshot, stored = _described(path)
        except SnapshotCorruptError as error:
            warnings.warn(f"{error} It is written anew.", UserWarning, stacklevel=3)
            return None
        if sorted(e.content for e in stored) != sorted(e.content for e in entries):
            raise SnapshotError(
                f"{path} exists with other weights; save into an empty folder, or remove the old run first."
            )
        return snapshot


def snapshot_file(epoch: int, step: int) -> str:
    """The only file name that a snapshot of this epoch and step may have."""
    return f"epoch-{epoch:05d}_step-{step:09d}.h5"


def _visible(path: Path) -> bool:
    return path.suffix == ".h5" and not path.name.startswith(".")


def _described(path: Path) -> tuple[Snapshot, list[Entry]]:
    """The verified snapshot at `path` and what is in it."""
    if _NAME.fullmatch(path.name) is None:
        raise SnapshotError(
            f"{path} is not named like a snapshot; expected a name like {snapshot_file(3, 1173)}."
        )
    header, entries, digest = read_header(path, _KIND)
    return _described_by(path, header, digest), entries


def _described_by(path: Path, header: Mapping[str, Any], digest: str) -> Snapshot:
    numbers = {key: header.get(key) for key in ("epoch", "step", "stage")}
    if not all(type(value) is int and 0 <= value <= _LARGEST for value in numbers.values()):
        raise corrupt(path, "epoch, step or stage is missing")
    if path.name != snapshot_file(numbers["epoch"], numbers["step"]):
        raise corrupt(
            path, f"it holds epoch {numbers['epoch']}, step {numbers['step']}, not what its name says"
        )
    return Snapshot(path, **numbers, digest=digest)


def _plain_state(model: torch.nn.Module | Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state = model.state_dict() if isinstance(model, torch.nn.Module) else model
    if not isinstance(state, Mapping):
        raise InputError(f"Expected a module or a mapping of names to tensors, got {type(model).__name__}.")
    names = plain_names(state)
    plain = {names[name]: value for name, value in state.items()}
    if len(plain) != len(state):
        raise SnapshotError(
            "Two tensors have the same name once wrapper prefixes are stripped; rename one of them."
        )
    return plain


def _number(name: str, value: Any) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number <= _LARGEST:
        raise InputError(f"Expected {name} as a whole number of at least 0, got {value!r}; count from 0.")
    return number

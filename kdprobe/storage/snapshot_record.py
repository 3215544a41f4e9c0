"""What a snapshot file says about itself: its name, its header, and the record that is handed out."""

import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdprobe.errors import InputError, SnapshotError
from kdprobe.records import Record
from kdprobe.storage.contents import read_header
from kdprobe.storage.envelope import IN_MEMORY, corrupt
from kdprobe.storage.image import Entry

KIND = "snapshot"
WEIGHTS = ("raw", "averaged")  #: as the optimiser left them, or averaged over the training (EMA and the like)

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
    partial: bool = False  #: taken inside an epoch: `epoch` are completed and another one had begun
    weights: str = "raw"  #: raw or averaged
    include: tuple[
        str, ...
    ] = ()  #: patterns by which tensors were left out; both empty: all tensors are there
    exclude: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name without suffix, for example ``epoch-00003_step-000001173``."""
        return self.path.stem


def snapshot_file(epoch: int, step: int) -> str:
    """The only file name that a snapshot of this epoch and step may have."""
    return f"epoch-{epoch:05d}_step-{step:09d}.h5"


def is_snapshot_file(path: str | os.PathLike) -> bool:
    """Whether the file at `path` is named as `save` names snapshots; what is in it is not looked at."""
    return _NAME.fullmatch(Path(path).name) is not None


def named_place(path: Path) -> tuple[int, int, str]:
    """Where the file stands by its name: epoch, step; what is not named like a snapshot comes first."""
    match = _NAME.fullmatch(path.name)
    return (int(match[1]), int(match[2]), path.name) if match else (-1, -1, path.name)


def packed_header(
    *,
    epoch: Any,
    step: Any,
    stage: Any,
    partial: Any,
    weights: Any,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> dict[str, Any]:
    """The header of a snapshot file. What has its default is left out: such files are those of older versions.

    Raises InputError for a negative number, a `partial` that is no bool, unknown `weights`.
    """
    if not isinstance(partial, bool):
        raise InputError(f"Expected partial as True or False, got {partial!r}.")
    if weights not in WEIGHTS:
        raise InputError(f"Expected weights as one of {', '.join(WEIGHTS)}, got {weights!r}.")
    header = {"kind": KIND, "epoch": _number("epoch", epoch), "step": _number("step", step)}
    header["stage"] = _number("stage", stage)
    optional = {
        "partial": (partial, False),
        "weights": (weights, "raw"),
        "include": (list(include), []),
        "exclude": (list(exclude), []),
    }
    return header | {key: value for key, (value, default) in optional.items() if value != default}


def described(path: Path, in_memory: int = IN_MEMORY) -> tuple[Snapshot, list[Entry]]:
    """The verified snapshot at `path` and what is in it.

    Raises SnapshotCorruptError if it is damaged, SnapshotError if it is none, unreadable or of a newer kdprobe.
    """
    if not is_snapshot_file(path):
        raise SnapshotError(
            f"{path} is not named like a snapshot; expected a name like {snapshot_file(3, 1173)}."
        )
    header, entries, digest = read_header(path, KIND, in_memory)
    return described_by(path, header, digest), entries


def described_by(path: Path, header: Mapping[str, Any], digest: str) -> Snapshot:
    """The record of the snapshot at `path` from its header. Raises SnapshotCorruptError if they do not agree."""
    numbers = {key: header.get(key) for key in ("epoch", "step", "stage")}
    if not all(type(value) is int and 0 <= value <= _LARGEST for value in numbers.values()):
        raise corrupt(path, "epoch, step or stage is missing")
    if path.name != snapshot_file(numbers["epoch"], numbers["step"]):
        raise corrupt(
            path, f"it holds epoch {numbers['epoch']}, step {numbers['step']}, not what its name says"
        )
    partial, weights = header.get("partial", False), header.get("weights", "raw")
    patterns = {key: header.get(key, []) for key in ("include", "exclude")}
    if not isinstance(partial, bool) or weights not in WEIGHTS or not all(map(_texts, patterns.values())):
        raise corrupt(path, "partial, weights, include or exclude is none of the values that it may have")
    patterns = {key: tuple(value) for key, value in patterns.items()}
    return Snapshot(path, **numbers, digest=digest, partial=partial, weights=weights, **patterns)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _number(name: str, value: Any) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number <= _LARGEST:
        raise InputError(f"Expected {name} as a whole number of at least 0, got {value!r}; count from 0.")
    return number

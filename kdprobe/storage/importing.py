"""Checkpoints that other tools wrote, as snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from kdprobe.errors import InputError, SnapshotError
from kdprobe.paths import expanded
from kdprobe.records import Record
from kdprobe.storage.checkpoint_place import Place, checkpoint_place
from kdprobe.storage.plain_json import write_json
from kdprobe.storage.snapshots import SnapshotStore
from kdprobe.storage.whole_folder import whole_folder
from kdprobe.weight_files import find_state, read_weight_file


@dataclass(frozen=True)
class Imported(Record):
    """One checkpoint and the snapshot that was made of it."""

    file: Path
    epoch: int  #: completed epochs
    step: int  #: completed optimiser steps; 0 if the checkpoint does not say
    partial: bool  #: taken inside an epoch
    source: str  #: what said the epoch: its content, its name or --epochs
    snapshot: str  #: name of the snapshot
    digest: str  #: of the snapshot


def import_checkpoints(
    files: Sequence[str | Path],
    run: str | Path,
    *,
    epochs: Sequence[int] | None = None,
    key: str | None = None,
    strip: str | None = None,
) -> list[Imported]:
    """Makes the folder `run` with a snapshot of each checkpoint (.pt, .pth, .ckpt, .safetensors), by epoch.

    Only weights are read, code never. `epochs`: completed epochs, one for each file; by default what the file's
    content or name says (`checkpoint_place`). `key`: which state dict of a file is meant, or which module in it
    (`find_state`). `strip`: taken off the front of the tensor names. `run`/imported.json says what came from where.
    One file at a time is in memory.

    Raises InputError for a wrong number of epochs; SnapshotError if an epoch is not known or given twice, if the
    files hold different tensors, if `run` is no new or empty folder, or if a file cannot be read; then nothing has
    been written.
    """
    files = [expanded(file) for file in files]
    if not files:
        raise InputError("Expected at least one checkpoint, got none; name the files.")
    if epochs is not None and len(epochs) != len(files):
        raise InputError(f"Got {len(epochs)} epochs for {len(files)} files; give one for each (--epochs).")
    with whole_folder(run) as folder:
        store, taken, made, first = SnapshotStore(folder / "snapshots"), {}, [], None
        for index, path in enumerate(files):
            file = read_weight_file(path)
            state = _stripped(find_state(file.content, path, key), path, strip)
            place = checkpoint_place(file, path, None if epochs is None else epochs[index])
            _check_new(place, path, taken)
            first = first or (path, _shapes(state))
            _check_alike(first, path, state)
            snapshot = store.save(
                state,
                epoch=place.epoch,
                step=place.step or 0,
                stage=place.stage,
                partial=place.partial,
                weights=place.weights,
            )
            numbers = (snapshot.epoch, snapshot.step, snapshot.partial)
            made.append(Imported(path, *numbers, place.source, snapshot.name, snapshot.digest))
        made.sort(key=lambda each: (each.epoch, each.step))
        write_json(folder / "imported.json", {"checkpoints": [vars(each) for each in made]})
    return made


def _stripped(state: dict[str, Tensor], path: Path, prefix: str | None) -> dict[str, Tensor]:
    if not prefix:
        return state
    stripped = {name.removeprefix(prefix): value for name, value in state.items()}
    if len(stripped) != len(state) or stripped.keys() == state.keys():
        found = ", ".join(list(state)[:3])
        problem = "no tensor's name begins" if stripped.keys() == state.keys() else "two names are one"
        raise SnapshotError(
            f"{path}: {problem} with the prefix {prefix!r} taken off ({found}, ...); correct --strip."
        )
    return stripped


def _check_new(place: Place, path: Path, taken: dict[tuple, Path]) -> None:
    """One whole checkpoint for an epoch; of those inside it, one for each step."""
    other = taken.setdefault((place.epoch, place.step if place.partial else None), path)
    if other is not path:
        raise SnapshotError(
            f"{other} and {path} are both of epoch {place.epoch}; give one of them, or correct it with --epochs."
        )


def _check_alike(first: tuple[Path, dict[str, tuple]], path: Path, state: dict[str, Tensor]) -> None:
    shapes = _shapes(state)
    name = next((n for n in [*first[1], *shapes] if first[1].get(n) != shapes.get(n)), None)
    if name is not None:
        raise SnapshotError(
            f"{path} is not of the network of {first[0]}: {name} is {shapes.get(name, 'missing')} in it, there "
            f"{first[1].get(name, 'missing')}; import each network into a folder of its own."
        )


def _shapes(state: dict[str, Tensor]) -> dict[str, tuple]:
    return {name: tuple(value.shape) for name, value in state.items()}

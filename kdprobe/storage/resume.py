"""What an interrupted training needs to go on, in two generations: one damaged file loses one epoch, no more."""

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from kdprobe.errors import InputError, SnapshotCorruptError
from kdprobe.storage.atomic import fsync_folder, named_failure
from kdprobe.storage.contents import read_header, read_tensors
from kdprobe.storage.envelope import corrupt
from kdprobe.storage.image import Image
from kdprobe.storage.image_file import write_image

_KIND = "resume"
_STATE = "state"  #: name of the uint8 tensor with the state as JSON; the tensors in it are 0, 1, 2, ...
_PLAIN = (str, int, float, bool, type(None))


class ResumeStore:
    """`resume.ckpt` and, one generation older, `resume.previous.ckpt` in one folder."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.path = self.folder / "resume.ckpt"
        self.previous = self.folder / "resume.previous.ckpt"
        self._damaged: set[Path] = set()

    def save(self, state: Mapping[str, Any], *, epoch: int, step: int) -> None:
        """Writes `state` as the newest generation; on return it is on the disk. The one before stays.

        `state` may hold dicts (text or int keys), lists, tuples, texts, numbers, bools, None and tensors, however
        deep. Nothing of it is ever executed when it is read.

        Raises InputError naming the place of anything else, SnapshotError if the system refuses; then the
        generation that was newest is still readable.
        """
        tensors: list[torch.Tensor] = []
        text = json.dumps(_packed(state, "the state", tensors)).encode("ascii")
        named = {str(number): tensor for number, tensor in enumerate(tensors)}
        named[_STATE] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        image = Image({"kind": _KIND, "epoch": epoch, "step": step}, named)
        with named_failure("write", self.path):
            if self.path.exists() and self.path not in self._damaged:  # else it would displace a sound one
                os.replace(self.path, self.previous)
        write_image(self.path, image)
        self._damaged.discard(self.path)

    def states(self) -> Iterator[dict[str, Any]]:
        """The valid generations, newest first, tensors on the CPU; a damaged one is left out, with a warning.

        Raises SnapshotError if a file cannot be read or comes from a newer kdprobe.
        """
        for _, _, path in self._sound():
            _, tensors, _ = read_tensors(path, _KIND)
            yield _state_in(path, tensors)

    def files(self) -> list[Path]:
        """The files of the generations that are there, valid or not."""
        return [path for path in (self.previous, self.path) if os.path.lexists(path)]

    def epoch(self) -> int | None:
        """Epoch of the newest valid generation, None if there is none. Reads no tensor; raises what `states` raises."""
        found = self._sound()
        return found[0][0] if found else None

    def discard(self) -> None:
        """Removes both generations, if they are there. Raises SnapshotError if the system refuses."""
        with named_failure("remove", self.path):
            held = self.files()
            for path in held:
                path.unlink()
            if held:
                fsync_folder(self.folder)

    def _sound(self) -> list[tuple[int, int, Path]]:
        """Epoch, step and file of the valid generations, newest first; the others are named in warnings."""
        self._damaged.clear()
        found = []
        for path in reversed(self.files()):
            try:
                header, _, _ = read_header(path, _KIND)
                found.append((_number(path, header, "epoch"), _number(path, header, "step"), path))
            except SnapshotCorruptError as error:
                self._damaged.add(path)
                warnings.warn(f"{error} It is left out.", UserWarning, stacklevel=3)
        return sorted(found, key=lambda each: each[:2], reverse=True)


def _number(path: Path, header: Mapping[str, Any], name: str) -> int:
    if type(header.get(name)) is not int:
        raise corrupt(path, f"{name} is missing")
    return header[name]


def _packed(value: Any, place: str, tensors: list[torch.Tensor]) -> Any:
    """`value` as JSON; its tensors go to the end of `tensors` and leave their number behind."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, torch.Tensor):
        tensors.append(value.detach())
        return {"tensor": len(tensors) - 1}
    if isinstance(value, Mapping):
        pairs = []
        for key, item in value.items():
            if type(key) not in (str, int):
                raise InputError(f"Expected texts or whole numbers as keys in {place}, got {key!r}.")
            pairs.append([key, _packed(item, f"{place}[{key!r}]", tensors)])
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        items = [_packed(item, f"{place}[{i}]", tensors) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    raise InputError(
        f"Expected at {place} numbers, texts, tensors or lists and dicts of them, got {type(value).__name__}; "
        "convert it first."
    )


def _state_in(path: Path, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    try:
        text = tensors.pop(_STATE).numpy().tobytes()
        state = _unpacked(json.loads(text), lambda number: tensors[str(number)])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise corrupt(path, f"its state cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(state, dict):
        raise corrupt(path, "its state is not a dict")
    return state


def _unpacked(value: Any, tensor: Callable[[int], torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, tensor) for item in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "tensor":
        return tensor(content)
    if kind == "tuple":
        return tuple(_unpacked(item, tensor) for item in content)
    if kind == "dict":
        return {key: _unpacked(item, tensor) for key, item in content}
    raise ValueError(f"unknown kind {kind!r}")

"""Weight files that other tools wrote: their tensors and plain values, never their code."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdprobe.errors import SnapshotCorruptError, SnapshotError
from kdprobe.paths import expanded

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors")
KEYS = ("state_dict", "model_state_dict", "model", "net")  #: where training tools put the state dict

_FOREIGN = re.compile(r"GLOBAL ([\w.]+)")  # how torch names what it would have to import
_LOOKS = (
    (b"<", "an HTML or XML page, perhaps of a failed download"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with git lfs pull"),
    (b"\x89HDF", "an HDF5 file"),
    (b"kdprobe", "a file of kdprobe's own"),
    (b"PK", "a zip file, but no whole checkpoint"),
)


class WeightFile(NamedTuple):
    """What a weight file holds."""

    content: Any  #: as it was saved: a state dict, or a dict with one in it
    metadata: dict[str, str]  #: of a .safetensors file, else empty


def read_weight_file(path: str | Path) -> WeightFile:
    """Everything in the file at `path`, on the CPU.

    ``.pt``, ``.pth``, ``.ckpt``: read with ``torch.load(weights_only=True)``; ``.safetensors`` needs the package
    safetensors. Takes the memory of the file.

    Raises SnapshotError if the file is missing, has another ending, or safetensors is not installed;
    SnapshotCorruptError if it cannot be read, or only by running code that it brings.
    """
    path = expanded(path)
    if not path.is_file():
        raise SnapshotError(
            f"No weight file {path}; give the path of a .pt, .pth, .ckpt or .safetensors file."
        )
    if path.suffix not in SUFFIXES:
        raise SnapshotError(
            f"{path} has the ending {path.suffix!r}; weight files end in .pt, .pth, .ckpt or .safetensors."
        )
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def find_state(content: Any, path: str | Path, key: str | None = None) -> dict[str, Tensor]:
    """The state dict in what `path` holds: the content itself, or what it has under one of the usual `KEYS`.

    With `key`, what it has under this key; else the tensors whose names begin with `key` and a dot, without that.

    Raises SnapshotError if there is none, or several of the usual keys hold one.
    """
    if key is not None:
        return _under(content, path, key)
    if _is_state(content):
        return _named(content)
    found = [each for each in KEYS if isinstance(content, Mapping) and _is_state(content.get(each))]
    if len(found) > 1:
        raise SnapshotError(
            f"{path} holds a state dict under each of {', '.join(found)}; name the one that is meant (--key)."
        )
    if not found:
        keys = ", ".join(map(str, list(content)[:8])) if isinstance(content, Mapping) else "none"
        raise SnapshotError(
            f"{path} holds no state dict (names with tensors) where one is usual, keys: {keys or 'none'}; "
            "save model.state_dict() into it, or name its key (--key)."
        )
    return _named(content[found[0]])


def safetensors_torch() -> Any:
    """The module safetensors.torch. Raises SnapshotError if the package is not installed."""
    try:
        import safetensors.torch
    except ImportError as error:
        raise SnapshotError(
            "Files of type .safetensors need the package safetensors; pip install safetensors."
        ) from error
    return safetensors.torch


def _read_torch(path: Path) -> WeightFile:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*TorchScript archive", category=UserWarning)
            return WeightFile(torch.load(path, map_location="cpu", weights_only=True), {})
    except MemoryError:
        raise  # says nothing against the file
    except Exception as error:  # any type, since torch.load promises none for damaged bytes; raised again
        foreign = _FOREIGN.search(str(error))
        if foreign:
            raise SnapshotCorruptError(
                f"{path} cannot be read as plain weights: it needs the code of {foreign[1]}, which is never run; "
                "where that code is trusted, save the state dict alone with torch.save(state_dict, path)."
            ) from error
        raise SnapshotCorruptError(
            f"{path} cannot be read as plain weights ({_first_look(path) or _first_line(error)}); "
            "save the state dict again with torch.save(model.state_dict(), path)."
        ) from error


def _read_safetensors(path: Path) -> WeightFile:
    module = safetensors_torch()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
        return WeightFile(module.load_file(path), metadata)
    except (SafetensorError, OSError, ValueError) as error:
        reason = _first_look(path) or _first_line(error)
        raise SnapshotCorruptError(
            f"{path} cannot be read as safetensors ({reason}); save it again."
        ) from error


def _first_look(path: Path) -> str | None:
    """What the file seems to be, by its first bytes; None if they say nothing."""
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        return "it is empty"
    return next((f"it looks like {what}" for magic, what in _LOOKS if start.startswith(magic)), None)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _under(content: Any, path: str | Path, key: str) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and _is_state(content.get(key)):
        return _named(content[key])
    state = find_state(content, path)
    found = {
        name.removeprefix(f"{key}."): value for name, value in state.items() if name.startswith(f"{key}.")
    }
    if not found:
        names = ", ".join(list(state)[:3])
        raise SnapshotError(
            f"{path} has no state dict under the key {key!r} and no tensor named {key}.*; it has {names}, ..."
        )
    return found


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(v, Tensor) for v in value.values())


def _named(state: Mapping[Any, Tensor]) -> dict[str, Tensor]:
    return {str(name): value for name, value in state.items()}

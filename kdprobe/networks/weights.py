"""Weights from a file, for example those of a teacher."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.errors import SnapshotCorruptError, SnapshotError

_WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training tools put the state dict
_PREFIXES = ("module.", "_orig_mod.")  # added by data parallelism and by torch.compile


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Load the state dict in the file at `path` into `model` (all tensors, equal shapes) and return the
    model.

    ``.pt``, ``.pth``, ``.ckpt``: read with ``torch.load(weights_only=True)``; a dict that holds the state
    dict as "state_dict" is unwrapped, and the prefixes "module." and "_orig_mod." are dropped.
    ``.safetensors``: needs the package safetensors. The model is changed only if everything fits.

    Raises SnapshotError if the file is missing or does not fit (the first differing tensors are named with
    their shapes), SnapshotCorruptError if it cannot be read.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise SnapshotError(f"No weight file {path}; give the path of a .pt, .pth or .safetensors file.")
    state = _plain(_read(path), path)
    _check_fit(model.state_dict(), state, path)
    model.load_state_dict(state)
    return model


def _read(path: Path) -> Any:
    if path.suffix in (".pt", ".pth", ".ckpt"):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except MemoryError:
            raise  # says nothing against the file
        # The unpickler runs on whatever bytes the file holds and then raises nearly every built-in error
        # (UnpicklingError, RuntimeError, EOFError, KeyError, struct.error, ...): all mean that it cannot be read.
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise SnapshotCorruptError(
                f"The weight file {path} cannot be read as plain weights ({reason}); "
                "save the state dict again with torch.save(model.state_dict(), path)."
            ) from error
    if path.suffix == ".safetensors":
        try:
            from safetensors import SafetensorError
            from safetensors.torch import load_file
        except ImportError as error:
            raise SnapshotError(
                f"Reading {path} needs the package safetensors; pip install safetensors."
            ) from error
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise SnapshotCorruptError(
                f"The weight file {path} cannot be read ({error}); save it again."
            ) from error
    raise SnapshotError(
        f"{path} has the ending {path.suffix!r}; weight files end in .pt, .pth, .ckpt or .safetensors."
    )


def _plain(state: Any, path: Path) -> dict[str, Tensor]:
    for key in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise SnapshotError(
            f"{path} holds no state dict (names with tensors); save model.state_dict() into it."
        )
    return {_stripped(str(name)): value for name, value in state.items()}


def _stripped(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.removeprefix(_PREFIXES[0]).removeprefix(_PREFIXES[1])
    return name


def _check_fit(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> None:
    differing = []
    for name in [*wanted, *(n for n in state if n not in wanted)]:
        mine = tuple(wanted[name].shape) if name in wanted else "nothing"
        theirs = tuple(state[name].shape) if name in state else "nothing"
        if mine != theirs:
            differing.append(f"{name}: network {mine}, file {theirs}")
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise SnapshotError(
            f"The weights in {path} do not fit the network ({'; '.join(differing[:3])}{more}); "
            "build the network with the options that it was trained with, or name the right file."
        )

"""Weights from a file: a whole network's, or the convolutional part of a plain one's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.paths import expanded
from kdprobe.weight_files import find_state, read_weight_file

_PREFIXES = ("module.", "_orig_mod.")  # added by data parallelism and by torch.compile
_COUNTER = (
    "num_batches_tracked"  # of BatchNorm; files of old versions lack it, and no value depends on it here
)


class PartialWeights(NamedTuple):
    """What of a weight file a network took; tensors by name."""

    path: str
    loaded: tuple[str, ...]  #: into the network
    left_out: tuple[str, ...]  #: of the file's
    fresh: tuple[str, ...]  #: of the network's, which keep their initial values

    def sentence(self) -> str:
        """One sentence: how much was loaded, what was left out, what is fresh."""
        left_out = f"left out {_parts(self.left_out)}" if self.left_out else "left nothing out"
        return f"Took {_parts(self.loaded)} from {self.path}, {left_out}; {_parts(self.fresh)} start fresh."


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Load the state dict in the file at `path` into `model` (all tensors, equal shapes) and return the
    model.

    How it is read: `kdprobe.weight_files.read_weight_file`. A state dict under one of the usual keys is found, and
    the prefixes "module." and "_orig_mod." are dropped. The model is changed only if everything fits.

    Raises SnapshotError if the file is missing or does not fit (the first differing tensors are named with
    their shapes; where the convolutional part would fit, the sentence says so), SnapshotCorruptError if it cannot be
    read.
    """
    path = expanded(path)
    state = _read(path)
    wanted = model.state_dict()
    differing = _differing(wanted, state)
    differing += [
        f"{name}: network nothing, file {tuple(state[name].shape)}" for name in state if name not in wanted
    ]
    if differing:
        raise SnapshotError(
            f"The weights in {path} do not fit the network ({_first(differing)}); {_advice(model, state)}."
        )
    model.load_state_dict(state)
    return model


def load_convolutional_weights(model: nn.Module, path: str | Path) -> PartialWeights:
    """Load the convolutional part of a plain network (torchvision's checkpoint, say) into `model`, and nothing else.

    The part is what ``model.convolutional_part`` names: module paths whose tensors must be in the file at `path`, of
    equal names and shapes. The fully connected layers of the file are left out and those of the model keep their
    values; the result says which. Read as by `load_weights`; the model is changed only if the part fits.

    Raises ConfigError if the model has no `convolutional_part`, SnapshotError and SnapshotCorruptError as
    `load_weights`.
    """
    part = getattr(model, "convolutional_part", None)
    if not part:
        raise ConfigError(
            f"{type(model).__name__} does not say which part is convolutional; set model.convolutional_part to the "
            "paths of these modules, or load a file that fits the whole network."
        )
    path = expanded(path)
    state = _read(path)
    wanted = {name: value for name, value in model.state_dict().items() if _inside(name, part)}
    differing = _differing(wanted, state)
    if differing:
        raise SnapshotError(
            f"The weights in {path} do not fit the convolutional part of the network ({_first(differing)}); "
            "name a checkpoint of the same architecture."
        )
    loaded = {name: state[name] for name in wanted if name in state}
    model.load_state_dict(loaded, strict=False)
    return PartialWeights(
        str(path),
        tuple(loaded),
        tuple(name for name in state if name not in loaded),
        tuple(name for name in model.state_dict() if name not in wanted),
    )


def _read(path: Path) -> dict[str, Tensor]:
    return {
        _stripped(name): value for name, value in find_state(read_weight_file(path).content, path).items()
    }


def _stripped(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.removeprefix(_PREFIXES[0]).removeprefix(_PREFIXES[1])
    return name


def _inside(name: str, part: Sequence[str]) -> bool:
    return any(name.startswith(f"{path}.") for path in part)


def _differing(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    found = []
    for name, value in wanted.items():
        mine = tuple(value.shape)
        theirs = tuple(state[name].shape) if name in state else "nothing"
        if mine != theirs and not (name not in state and name.endswith(_COUNTER)):
            found.append(f"{name}: network {mine}, file {theirs}")
    return found


def _first(differing: Sequence[str]) -> str:
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return "; ".join(differing[:3]) + more


def _advice(model: nn.Module, state: Mapping[str, Tensor]) -> str:
    part = getattr(model, "convolutional_part", ())
    wanted = {name: value for name, value in model.state_dict().items() if _inside(name, part)}
    if wanted and not _differing(wanted, state):
        return (
            "its convolutional part does: build the network with the option pretrained set to this path, and train its "
            "fully connected layers"
        )
    return "build the network with the options that it was trained with, or name the right file"


def _parts(names: Sequence[str]) -> str:
    """The topmost modules of the tensors `names`, in order, with their number of tensors."""
    if not names:
        return "nothing"
    modules = dict.fromkeys(name.partition(".")[0] for name in names)
    return f"{', '.join(modules)} ({len(names)} tensor{'s' if len(names) > 1 else ''})"

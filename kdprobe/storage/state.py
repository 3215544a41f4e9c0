"""A stored state back into a network: all of it or nothing, with the difference named."""

from collections import OrderedDict
from collections.abc import Mapping

import torch

from kdprobe.errors import InputError, SnapshotError
from kdprobe.storage.names import patterns_text, plain_names

_SHOWN = 3


class State(dict[str, torch.Tensor]):
    """A state dict out of a snapshot, and the patterns by which tensors were left out of it (both empty: none)."""

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
    ):
        super().__init__(tensors)
        self.include = include
        self.exclude = exclude

    def __reduce__(self):
        # torch.save keeps it as an ordinary state dict, which torch.load reads with weights_only, kdprobe or not.
        return OrderedDict, (), None, None, iter(self.items())


def load_state(
    model: torch.nn.Module, state: Mapping[str, torch.Tensor], source: object = "the state"
) -> None:
    """Copies `state` into `model`; names must agree on both sides (prefixes of wrappers aside), shapes too.

    `source` (a path, say) is what the error sentence calls the state. If anything differs, nothing is copied.

    Raises InputError if `state` is no mapping, SnapshotError naming the first tensors that differ, with their
    shapes, and the patterns of a snapshot from which tensors were left out, or a name that is no text.
    """
    if not isinstance(state, Mapping):
        raise InputError(f"Expected a mapping of names to tensors, got {type(state).__name__}.")
    own = model.state_dict()
    stored = {plain: state[name] for name, plain in plain_names(state).items()}
    wanted = {plain: name for name, plain in plain_names(own).items()}
    differences = [_difference(plain, own[name], stored) for plain, name in wanted.items()]
    differences += [
        f"{name} {_shape(value)} is not in the model" for name, value in stored.items() if name not in wanted
    ]
    differences = [difference for difference in differences if difference]
    if differences:
        hint = "Build the model with the options of the run that saved it."
        if isinstance(state, State) and (state.include or state.exclude):
            source = (
                f"{source} holds only the tensors left by {patterns_text(state.include, state.exclude)} and"
            )
            hint = "Save all tensors, or pass what is there to load_state_dict(..., strict=False)."
        more = f" (and {len(differences) - _SHOWN} more)" if len(differences) > _SHOWN else ""
        raise SnapshotError(
            f"{source} does not fit {type(model).__name__}: {'; '.join(differences[:_SHOWN])}{more}. {hint}"
        )
    try:
        model.load_state_dict({name: stored[plain] for plain, name in wanted.items()}, strict=True)
    except RuntimeError as error:
        raise SnapshotError(f"{source} does not fit the model {type(model).__name__}: {error}") from error


def _difference(name: str, own: object, stored: Mapping[str, torch.Tensor]) -> str | None:
    if name not in stored:
        return f"{name} {_shape(own)} is missing"
    if _shape(own) != _shape(stored[name]):
        return f"{name} is {_shape(stored[name])}, the model has {_shape(own)}"
    return None


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, torch.Tensor) else f"(a {type(value).__name__})"

"""The weight distance, added up as the weights come."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError


class WeightWalk:
    """sum_{j=1..k} ‖w_j - w_{j-1}‖ / ‖w_0‖ over the states w_0, w_1, ... that are added one by one.

    names: the tensors that make up w; the norm is the Euclidean one over all their entries together. A copy of the
    last state's is held, in its own type; differences are taken in double precision.

    Raises InputError for no or repeated names.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if isinstance(names, str) or not names or len(set(names)) != len(names):
            raise InputError(f"names must be a list of different tensor names; got {names!r}.")
        self.names = tuple(names)
        self._length, self._unit, self._added = 0.0, 0.0, 0
        self._previous: dict[str, Tensor] = {}

    def add(self, state: Mapping[str, Tensor]) -> float:
        """The distance up to `state`, ≥ 0; 0 for the first.

        Raises InputError for a name that it lacks, shapes that change, non-finite weights, and initial weights that
        are all zero; then nothing is added.
        """
        current = {name: self._copied(state, name) for name in self.names}
        if self._added:
            self._length += _norm(self._differences(current)) / self._unit
        else:
            self._unit = _norm(tensor.double() for tensor in current.values())
            if self._unit == 0:
                raise InputError("The initial weights are all zero: no unit of distance; name other tensors.")
        self._previous = current
        self._added += 1
        return self._length

    def stands_at(self, state: Mapping[str, Tensor]) -> bool:
        """Whether the last state added has, bit by bit, the weights of `state`."""
        return all(torch.equal(held, state[name].detach().cpu()) for name, held in self._previous.items())

    def state_dict(self, *, weights: bool = True) -> dict[str, Any]:
        """What `load_state_dict` needs; without `weights` it needs those of the last state, too."""
        numbers = {"length": self._length, "unit": self._unit, "added": self._added}
        return numbers | {"previous": dict(self._previous) if weights else None}

    def load_state_dict(self, kept: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        """Goes on where `kept` was taken; `state` is the last one added, if `kept` has no weights of its own."""
        self._length, self._unit, self._added = kept["length"], kept["unit"], kept["added"]
        source = state if kept["previous"] is None else kept["previous"]
        self._previous = {name: self._copied(source, name) for name in self.names}

    def _copied(self, state: Mapping[str, Tensor], name: str) -> Tensor:
        if name not in state:
            raise InputError(
                f"Snapshot {self._added} has no tensor {name!r}; compare snapshots of one architecture."
            )
        # A copy: the tensors of a state dict are the live weights, which move on.
        tensor = state[name].detach().to(device="cpu", copy=True)
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{name!r} of snapshot {self._added} has NaN or infinite values: the training diverged."
            )
        return tensor

    def _differences(self, current: dict[str, Tensor]) -> Iterable[Tensor]:
        for name, tensor in current.items():
            before = self._previous[name]
            if tensor.shape != before.shape:
                raise InputError(
                    f"Tensor {name!r} has the shape {tuple(tensor.shape)} in snapshot {self._added}, before "
                    f"{tuple(before.shape)}; compare snapshots of one architecture."
                )
            yield tensor.double() - before.double()


def _norm(tensors: Iterable[Tensor]) -> float:
    return float(torch.stack([tensor.square().sum() for tensor in tensors]).sum().sqrt())

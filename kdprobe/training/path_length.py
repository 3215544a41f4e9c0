"""How far the weights of a layer have moved, optimiser step by optimiser step."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.errors import ConfigError
from kdprobe.storage import append_jsonl
from kdprobe.storage.names import plain_names


class PathLength:
    """The sum over optimiser steps of ‖w_after - w_before‖, divided by ‖w_0‖ at the start (Euclidean).

    `of` is a layer, whose weight matrix (not its bias) makes up w, as in the code released with arXiv
    2003.03622; or a list of parameter names, which make up w together. Needs the memory of one copy of w and,
    while a step is measured, of its largest parameter in double precision.
    Beside `kdprobe.metrics.weight_path`, from epoch to epoch, it is never shorter, and depends on batch size
    and learning rate.
    """

    def __init__(self, of: str | Sequence[str], log_path: str | Path | None = None) -> None:
        self.names = [f"{of}.weight"] if isinstance(of, str) else [*of]
        if not self.names or len(set(self.names)) != len(self.names):
            raise ConfigError(f"path_length must be a layer, or a list of different parameters; got {of!r}.")
        self.log_path = log_path
        self.by_epoch: dict[int, float] = {}
        self._restored: dict[str, Any] | None = None

    def start(self, network: nn.Module, epoch: int, step: int) -> None:
        """The training of `network` starts after `epoch` epochs, or goes on after `load_state_dict`.

        One that goes on, from a `step` above 0, without it is measured from here on, with a warning. Raises
        ConfigError if the network has not these parameters, or all of them are zero.
        """
        parameters = dict(network.named_parameters())
        known = {plain: parameters[name] for name, plain in plain_names(parameters).items()}
        for name in self.names:
            if name not in known:
                raise ConfigError(
                    f"{type(network).__name__} has no parameter {name!r} for path_length; "
                    f"it has, for example, {', '.join([*known][:5])}."
                )
        self._parameters = [known[name] for name in self.names]
        self._before = self._copies()
        self._step = step
        restored, self._restored = self._restored, None
        if restored is None:
            if step > 0:
                warnings.warn(
                    f"The checkpoint holds no path_length of {', '.join(self.names)}: "
                    f"it is measured from epoch {epoch} on.",
                    UserWarning,
                    stacklevel=3,
                )
            restored = {"total": 0.0, "scale": float(_norm(self._before)), "by_epoch": {epoch: 0.0}}
        self.by_epoch, self._scale = dict(restored["by_epoch"]), restored["scale"]
        self._total = torch.tensor(restored["total"], dtype=torch.float64, device=self._before[0].device)
        if self._scale == 0:
            raise ConfigError(
                f"{', '.join(self.names)}: all zero at the start, no unit of path_length; "
                "name other parameters."
            )

    def step_done(self, step: int) -> None:
        """`step` optimiser steps are done; the last one is measured now, once. Does not wait for a GPU."""
        if step == self._step:
            return
        self._step = step
        pairs = [(b, p.detach()) for b, p in zip(self._before, self._parameters, strict=True)]
        self._total += _norm(before.sub_(after) for before, after in pairs)
        for before, after in pairs:
            before.copy_(after)

    def epoch_done(self, epoch: int) -> float:
        """The length up to here, kept as that of the end of `epoch`."""
        self.by_epoch[epoch] = float(self._total) / self._scale
        return self.by_epoch[epoch]

    def log_epoch(self, epoch: int, stage: int, step: int) -> None:
        """Appends the line of `epoch` to the log, if there is one. Raises SnapshotError if refused."""
        if self.log_path is not None:
            numbers = {"epoch": epoch, "stage": stage, "step": step}
            length = {"path_length": self.by_epoch[epoch], "parameters": self.names}
            append_jsonl(self.log_path, numbers | length)

    def key(self, module: str | None) -> str:
        """The name of `state_dict` in a checkpoint of a training in which `module` is saved."""
        return f"kdprobe path length of {module}: {', '.join(self.names)}"

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs: plain numbers."""
        return {"total": float(self._total), "scale": self._scale, "by_epoch": dict(self.by_epoch)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next `start` goes on from there."""
        self._restored = dict(state)

    def _copies(self) -> list[Tensor]:
        """At least in single precision: differences are then exact to that precision."""
        return [
            parameter.detach().to(torch.promote_types(parameter.dtype, torch.float32), copy=True)
            for parameter in self._parameters
        ]


def _norm(tensors: Iterable[Tensor]) -> Tensor:
    """() float64: the Euclidean norm over all entries of all tensors."""
    norms = [torch.linalg.vector_norm(tensor, dtype=torch.float64) for tensor in tensors]
    return torch.linalg.vector_norm(torch.stack([norm.to(norms[0].device) for norm in norms]))

"""The network up to the tap as a function f of the input, with its passes counted."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdprobe.estimator.taps import check_tap, truncated_forward

#: Bytes of activations that a batch may keep while the batch size is found by itself.
_ACTIVATION_BYTES = 256 * 2**20


@dataclass
class Work:
    """Passes of single samples through the truncated network; forward counts 1, backward to the input counts 1."""

    forward: int = 0
    backward: int = 0

    @property
    def total(self) -> int:
        return self.forward + self.backward


class Feature:
    """f: (R, C, H, W) -> (R, D), the activated and flattened value of one layer, in batches of bounded size."""

    def __init__(self, model: nn.Module, layer: str, activation: str, internal_batch_size: int) -> None:
        self._model = model
        self._layer = layer
        self._relu = activation == "relu"
        self.internal_batch_size = internal_batch_size
        self.work = Work()

    def _forward(self, rows: Tensor) -> Tensor:
        self.work.forward += len(rows)
        value = truncated_forward(self._model, self._layer, rows).flatten(1)
        return value.relu() if self._relu else value

    @torch.no_grad()
    def __call__(self, rows: Tensor) -> Tensor:
        """f of every row, without a graph."""
        return torch.cat([self._forward(part) for part in rows.split(self.internal_batch_size)])

    def with_graph(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """One batch: its inputs as a leaf and f of them, ready for `pull`."""
        leaf = rows.detach().requires_grad_(True)
        with torch.enable_grad():
            return leaf, self._forward(leaf)

    def pull(self, leaf: Tensor, value: Tensor, cotangent: Tensor, *, keep: bool = False) -> Tensor:
        """J(x)ᵀ cotangent for every row, (R, C, H, W)."""
        self.work.backward += len(leaf)
        if not value.requires_grad:  # the layer does not depend on the input
            return torch.zeros_like(leaf)
        (gradient,) = torch.autograd.grad(value, leaf, cotangent, retain_graph=keep, allow_unused=True)
        return torch.zeros_like(leaf) if gradient is None else gradient


@torch.no_grad()
def resolve_batch_size(model: nn.Module, layer: str, example: Tensor) -> int:
    """Rows per pass, found from what the activations of one row (1, C, H, W) occupy; checks the tap on the way.

    A power of two between 8 and 1024. A function of the model and the input's shape alone: the same on every machine.
    """
    sizes: list[int] = []

    def measure(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.element_size())

    leaves = [module for module in model.modules() if not any(module.children())]
    handles = [module.register_forward_hook(measure) for module in leaves]
    try:
        check_tap(model, layer, example)
    finally:
        for handle in handles:
            handle.remove()
    rows = _ACTIVATION_BYTES // max(2 * sum(sizes), 1)
    return 2 ** max(3, min(10, rows.bit_length() - 1))

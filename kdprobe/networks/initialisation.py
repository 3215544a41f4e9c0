"""Initial weights as the code released with the paper draws them."""

from collections.abc import Iterable

import torch
from torch import nn


def initialise_in_parts(*parts: Iterable[nn.Module]) -> None:
    """Convolutions Kaiming-normal (fan out), norms 1 and 0, linear layers N(0, 0.01), all biases 0, in place.

    Every part starts from the state that the random generator of the CPU has on entry, as the released code sets its
    seed anew for each. So a part gets the same weights whatever the others are, or whether they are drawn at all.
    """
    start = torch.get_rng_state()
    for part in parts:
        torch.set_rng_state(start)
        for layer in part:
            for module in layer.modules():
                initialise_convolution(module)
                if isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, 0, 0.01)
                    nn.init.zeros_(module.bias)


def initialise_convolution(module: nn.Module) -> None:
    """A convolution Kaiming-normal (fan out) with bias 0, a norm 1 and 0 with fresh statistics; others are left."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
        module.reset_running_stats()

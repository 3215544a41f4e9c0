"""What networks that learn together say as one."""

import torch
from torch import Tensor, nn

from kdprobe.objectives import error_correlation, general_weights, kdcl_target


class Together(nn.Module):
    """Gives the `ensemble_logits` of `count` networks; `how`: naive, linear, min_logit or general.

    The weights of "general" come from the errors over the batches of the epoch before, and are uniform in the first.
    Departure from KDCL (Guo et al., CVPR 2020), which takes them from a validation set: kdprobe has none to spare,
    and the errors on training images, each looked at before its step, cost nothing. Its buffers are part of a
    checkpoint.
    """

    def __init__(self, count: int, how: str) -> None:
        super().__init__()
        self.how = how
        if how == "general":
            self.register_buffer("products", torch.zeros(count, count, dtype=torch.float64))
            self.register_buffer("images", torch.zeros((), dtype=torch.int64))
            self.register_buffer("weights", torch.full((count,), 1 / count, dtype=torch.float64))

    def epoch_begins(self) -> None:
        """The weights for this epoch, from what was summed in the one before."""
        if self.how == "general" and self.images > 0:
            self.weights.copy_(general_weights(self.products / self.images))
            self.products.zero_()
            self.images.zero_()

    def target(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, C) from the networks' `logits` (K, B, C)."""
        logits = logits.detach()
        if self.how != "general":
            return kdcl_target(logits, labels, self.how)
        target = kdcl_target(logits, labels, self.how, self.weights)
        self.products += len(labels) * error_correlation(logits, labels)
        self.images += len(labels)
        return target

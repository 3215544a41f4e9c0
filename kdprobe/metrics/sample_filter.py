"""Which images count: the sample filter of the released code."""

from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import bool_maps, finite_entropy, positive_count


def effective_samples(
    entropy_by_epoch: Any,
    foreground: Any,
    epochs: Any,
    *,
    from_epoch: int = 40,
    keep: int | None = 50,
) -> Tensor:
    """(N,) bool: the images that the released code keeps, in their order, at most `keep` of them (None: all).

    An image is rejected if at any epoch from `from_epoch` on its mean entropy over background cells is below that over
    foreground cells. So only images are left on which a late network already discards more on the background: counts
    over them favour the first hypothesis for every network. Each network has its own set; networks are compared
    over the intersection.

    entropy_by_epoch: (E, N, g, g) nats, foreground: (N, g, g) bool, epochs: (E,) their numbers. Raises InputError for
    shapes that do not fit, images without a foreground or background cell, and if no epoch is late enough.
    """
    entropy = finite_entropy(entropy_by_epoch)
    if entropy.ndim != 4:
        raise InputError(f"entropy_by_epoch must have the shape (E, N, g, g); got {tuple(entropy.shape)}.")
    foreground = bool_maps(foreground, "foreground", entropy.shape[1:])
    epochs = torch.as_tensor(epochs)
    if tuple(epochs.shape) != entropy.shape[:1]:
        raise InputError(f"epochs must name the {len(entropy)} epochs; got the shape {tuple(epochs.shape)}.")
    late = epochs >= from_epoch
    if not bool(late.any()):
        raise InputError(
            f"The sample filter looks at epochs from {from_epoch} on, and the last is {int(epochs.max())}; lower that "
            "epoch, or measure without the filter."
        )
    on_foreground = _mean_over(entropy[late], foreground, "foreground")
    on_background = _mean_over(entropy[late], ~foreground, "background")
    kept = (on_background >= on_foreground).all(0)
    return kept if keep is None else kept & (kept.cumsum(0) <= positive_count("keep", keep))


def _mean_over(entropy: Tensor, cells: Tensor, name: str) -> Tensor:
    count = cells.sum((-2, -1))
    if bool((count == 0).any()):
        raise InputError(
            f"Image {int((count == 0).nonzero()[0])} has no {name} cell, so the sample filter has nothing to compare; "
            "leave it out."
        )
    return torch.where(cells, entropy, 0.0).sum((-2, -1)) / count

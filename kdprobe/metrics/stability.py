"""H3: how many of the concepts ever learned are kept (arXiv 2003.03622)."""

from typing import Any

from kdprobe.errors import InputError
from kdprobe.metrics.checks import EMPTY_RULES, bool_maps, choice
from kdprobe.metrics.image_mean import image_mean
from kdprobe.records import ImageMean


def stability(concepts_by_epoch: Any, foreground: Any, empty: str = "skip") -> ImageMean:
    """rho in 0 ... 1: mean over images of |S_M| / |S_1 ∪ ... ∪ S_M|, S_j the foreground concept cells at
    epoch j.

    concepts_by_epoch: (M, N, g, g) bool, epochs 1 ... M (the released code: from epoch 0 on); foreground:
    (N, g, g) bool.
    1: nothing learned was given up again (no detours). An image without a foreground concept at any epoch has
    no value: `skip` leaves it out (NaN, counted), `zero` scores it 0 as the released code does. Comparable
    only between networks with equal M. Raises InputError for other types or shapes and for M = 0.
    """
    choice("empty", empty, EMPTY_RULES)
    concepts = bool_maps(concepts_by_epoch, "concepts_by_epoch")
    if concepts.ndim != 4 or concepts.shape[0] == 0:
        raise InputError(
            f"concepts_by_epoch must have the shape (M, N, g, g) M ≥ 1; got {tuple(concepts.shape)}."
        )
    learned = concepts & bool_maps(foreground, "foreground", concepts.shape[1:])
    return image_mean(learned[-1].sum((-2, -1)), learned.any(0).sum((-2, -1)), empty)

"""H2: how far the weights have moved when an image is learned best (arXiv 2003.03622)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import EMPTY_RULES, choice, counts
from kdprobe.metrics.weight_walk import WeightWalk
from kdprobe.records import LearningDistance


def weight_path(state_dicts: Iterable[Mapping[str, Tensor]], names: Sequence[str]) -> Tensor:
    """Cumulative weight distance, (M+1,) float64, ≥ 0: entry k is sum_{j=1..k} ‖w_j - w_{j-1}‖ / ‖w_0‖, entry
    0 is 0.

    state_dicts: one per snapshot, epochs 0 ... M in order; may be a generator: one snapshot and a copy of the
    one before are held at a time. names: the tensors that make up w, the same list for every network that is
    compared; the norm is the Euclidean one over all their entries together.

    Raises InputError for no snapshot, no or repeated names, a name that a snapshot lacks, shapes that change,
    non-finite weights, and initial weights that are all zero.
    """
    walk = WeightWalk(names)
    path = [walk.add(state) for state in state_dicts]
    if not path:
        raise InputError("weight_path got no snapshot; give the state dicts of the epochs 0 ... M.")
    return torch.tensor(path, dtype=torch.float64)


def learning_distance(
    n_foreground_by_epoch: Any, path: Any, *, empty: str = "skip", initial: bool = False, path_lag: int = 0
) -> LearningDistance:
    """D_mean, D_std: mean and spread over images of the weight distance at the image's peak epoch.

    n_foreground_by_epoch: (M, N) counts at epochs 1 ... M, or with `initial` (M+1, N) from epoch 0 on; path: (M+1,)
    of `weight_path`, epochs 0 ... M. The peak epoch is the first counted one with most foreground concepts. Spreads
    have ddof 0; `var` is what the paper's equation for D_std says. NaN where no image is left. Comparable only
    between networks with equal M.

    empty: images without a foreground concept at any epoch are left out (`skip`; else they would score the smallest
    distance), or have their peak at the first counted epoch (`zero`: the released code's argmax of zeros).
    path_lag: 1 takes the path at the epoch before the peak, as the released code does for its ResNets by mistake
    (it leaves epoch 0 out of the counts, not out of the path).

    Raises InputError for negative or non-finite counts, M = 0, a lag other than 0 and 1 or one together with
    `initial`, and a path that has another length, does not start at 0, decreases or is not finite.
    """
    choice("empty", empty, EMPTY_RULES)
    first = 0 if initial else 1
    if path_lag not in (0, 1) or path_lag > first:
        raise InputError(f"path_lag must be 0, or 1 where epoch 0 is not counted; got {path_lag!r}.")
    n_foreground = counts(n_foreground_by_epoch, "n_foreground_by_epoch", 2)
    path = _checked_path(path, epochs=len(n_foreground) - 1 + first)
    most = n_foreground.max(0).values
    counted = (most > 0) | (empty == "zero")
    before_peak = ((n_foreground == most).cumsum(0) == 0).sum(0)
    peak_epoch = torch.where(counted, before_peak + first, 0)
    per_image = torch.where(counted, path[(peak_epoch - path_lag).clamp(min=0)], float("nan"))
    valid = per_image[counted]
    var = float(valid.var(correction=0)) if len(valid) else float("nan")
    return LearningDistance(
        mean=float(valid.mean()) if len(valid) else float("nan"),
        std=var**0.5,
        var=var,
        per_image=per_image,
        peak_epoch=peak_epoch,
        left_out=int((~counted).sum()),
    )


def _checked_path(path: Any, epochs: int) -> Tensor:
    path = torch.as_tensor(path, dtype=torch.float64).detach().cpu()
    if epochs == 0 or tuple(path.shape) != (epochs + 1,):
        raise InputError(
            f"path must have one entry more than the {epochs} epochs counted (at least 1), for epoch 0; "
            f"got the shape {tuple(path.shape)}."
        )
    if not bool(torch.isfinite(path).all()) or float(path[0]) != 0 or bool((path.diff() < 0).any()):
        raise InputError("path must be finite, start at 0 and never decrease; make it with weight_path.")
    return path

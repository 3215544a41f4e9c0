"""The metrics over a range of margins b, so that no single b decides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import margin_above_zero
from kdprobe.metrics.per_image import image_values

#: nats, 0.05 ... 0.5: from a few times the estimator's noise (0.02) to beyond what the paper chose (0.2, 0.25)
MARGINS = tuple(round(0.05 * step, 2) for step in range(1, 11))


def margin_curve(
    entropy_by_epoch: Any, foreground: Any, path: Any, *, margins: Sequence[float] = MARGINS, **rules: Any
) -> dict[str, Tensor]:
    """Name of the metric -> (B, N) float64: `image_values` at each of the B margins, NaN where an image has no value.

    margins: nats, > 0, rising. The other arguments (`rules`: scope, empty, initial, path_lag) and the errors
    are those of `image_values`. Raises InputError also for margins that do not rise.
    """
    margins = _rising(margins)
    rows = [image_values(entropy_by_epoch, foreground, path, margin=b, **rules) for b in margins]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def margin_area(ratios: Any, margins: Sequence[float] = MARGINS) -> Tensor:
    """(N,) float64 whose mean is the normalised area under lambda over b, a mean lambda in 0 ... 1.

    ratios: (B, N), 0 ... 1, `relevance_ratio` of `margin_curve`, NaN where an image has no concept at this
    margin; margins: the B ≥ 2 margins, rising. With lambda(b) the mean over the images that have a value at b,
    the area is that of the trapezoidal rule divided by the width of the range of b.

    An image that has a value at every margin has its own area, and the mean of these is the area. Where images
    drop out as b grows that is not so, since the others weigh more there. So what is returned are the
    pseudo-values of the infinitesimal jackknife, the area plus its derivative towards image i, that is as weight
    moves from all images to this one (B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982,
    chapter 6): their mean is the area, their spread over images gives its variance to first order, and for whole
    columns they are the images' own areas; single ones may leave 0 ... 1. NaN for an image without a value at any
    margin, and for all images if there is a margin without any value: the curve ends before it, so choose margins
    that all networks have.

    Raises InputError for shapes that do not fit, values outside 0 ... 1 and margins that do not rise.
    """
    margins = _rising(margins)
    ratios = torch.as_tensor(ratios, dtype=torch.float64).detach().cpu()
    if ratios.ndim != 2 or len(ratios) != len(margins) or len(margins) < 2:
        raise InputError(
            f"ratios must have the shape (B, N), a row for each of at least 2 margins; got {tuple(ratios.shape)} for "
            f"{len(margins)} margins."
        )
    valid = ~ratios.isnan()
    if bool(((ratios < 0) | (ratios > 1)).any()):
        raise InputError("ratios must be shares in 0 ... 1, or NaN; got others.")
    images = valid.any(0)
    curve = ratios.nanmean(1, keepdim=True)
    deviation = torch.where(valid, ratios - curve, 0.0) * int(images.sum()) / valid.sum(1, keepdim=True)
    values = np.trapezoid((curve + deviation).numpy(), margins, axis=0) / (margins[-1] - margins[0])
    return torch.where(images, torch.from_numpy(values), float("nan"))


def _rising(margins: Sequence[float]) -> list[float]:
    margins = [margin_above_zero(margin) for margin in margins]
    if not margins or margins != sorted(set(margins)):
        raise InputError(f"margins must be at least one number of nats, rising; got {margins}.")
    return margins

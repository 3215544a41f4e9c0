"""A mean of per-image ratios in which an image may have no ratio."""

import torch
from torch import Tensor

from kdprobe.records import ImageMean


def image_mean(part: Tensor, whole: Tensor, empty: str) -> ImageMean:
    """Mean over images of part / whole, (N,) each; where whole is 0, `empty` decides: `skip` or `zero`."""
    part, whole = part.to(torch.float64), whole.to(torch.float64)
    without = whole == 0
    ratio = torch.where(without, float("nan") if empty == "skip" else 0.0, part / whole.clamp(min=1))
    valid = ratio[~torch.isnan(ratio)]
    mean = float(valid.mean()) if len(valid) else float("nan")
    return ImageMean(mean=mean, per_image=ratio, left_out=len(ratio) - len(valid))

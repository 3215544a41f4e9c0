"""Resampling images, and with each resample one redraw of the estimator's noise."""

from math import nan

import numpy as np


def masked_statistic(values: np.ndarray, name: str) -> np.ndarray:
    """mean, std or var (ddof 0) over the last axis of (..., n) without NaN; NaN where nothing is left."""
    valid = ~np.isnan(values)
    count = valid.sum(-1)
    divisor = np.maximum(count, 1)
    mean = np.where(valid, values, 0.0).sum(-1) / divisor
    if name == "mean":
        result = mean
    else:
        result = np.where(valid, (values - mean[..., None]) ** 2, 0.0).sum(-1) / divisor
        if name == "std":
            result = np.sqrt(result)
    return np.where(count > 0, result, nan)


class Resampled:
    """The sum of signed statistics of columns over resampled images, as `scipy.stats.bootstrap` asks for it.

    columns: K arrays (n,) of the same n images without NaN, entering with the signs; noises: for each column
    None or (R, n) redraws, NaN where an image has no value. Every resample adds, for each column, the
    deviation of one redraw's statistic over all images from the mean of this statistic over the redraws:
    noise widens, its bias (noise makes spreads larger) does not shift. The redraw is not resampled along with
    the images, since an image drawn twice would carry the same error twice.
    """

    def __init__(self, columns, signs, noises, statistic: str, generator: np.random.Generator):
        self.columns, self.signs, self.statistic, self.generator = columns, signs, statistic, generator
        self.deviations = [_deviations(noise, statistic) for noise in noises]

    def exact(self, images: np.ndarray) -> np.ndarray:
        """(...,) of the images with these indices (..., n), without noise."""
        pairs = zip(self.signs, self.columns, strict=True)
        return sum(sign * masked_statistic(column[images], self.statistic) for sign, column in pairs)

    def __call__(self, images: np.ndarray, axis: int = -1) -> np.ndarray:
        images = np.moveaxis(images, axis, -1)
        # Every column draws for itself: the noises of two networks are taken as independent.
        noise = sum(self.generator.choice(deviations, images.shape[:-1]) for deviations in self.deviations)
        return self.exact(images) + noise


def _deviations(noise: np.ndarray | None, statistic: str) -> np.ndarray:
    """(R,) of the redraws in which any image has a value; a single 0 if there is none, or no noise."""
    redrawn = masked_statistic(noise, statistic) if noise is not None else np.array([])
    redrawn = redrawn[~np.isnan(redrawn)]
    return redrawn - redrawn.mean() if len(redrawn) else np.zeros(1)

"""Resampling images, and with each resample one redraw of the estimator's noise, the same for all columns."""

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
    None or (R, n) redraws, NaN where an image has no value, R the same for all. Every resample adds the
    deviation of one redraw's signed sum of statistics over all images from its mean over the redraws: noise
    widens, its bias (noise makes spreads larger) does not shift. All columns take the same redraw, so that
    noise they share (common random numbers) cancels as it does between the columns themselves. The redraw is
    not resampled along with the images, since an image drawn twice would carry the same error twice.
    """

    def __init__(self, columns, signs, noises, statistic: str, generator: np.random.Generator):
        self.columns, self.signs, self.statistic, self.generator = columns, signs, statistic, generator
        self.deviations = deviations(noises, signs, statistic)

    def exact(self, images: np.ndarray) -> np.ndarray:
        """(...,) of the images with these indices (..., n), without noise."""
        pairs = zip(self.signs, self.columns, strict=True)
        return sum(sign * masked_statistic(column[images], self.statistic) for sign, column in pairs)

    def __call__(self, images: np.ndarray, axis: int = -1) -> np.ndarray:
        images = np.moveaxis(images, axis, -1)
        return self.exact(images) + self.generator.choice(self.deviations, images.shape[:-1])


def deviations(noises, signs, statistic: str) -> np.ndarray:
    """(R,) of the redraws in which every noisy column has a value; a single 0 if there is none, or no noise."""
    pairs = zip(signs, noises, strict=True)
    redrawn = [sign * masked_statistic(noise, statistic) for sign, noise in pairs if noise is not None]
    total = sum(redrawn) if redrawn else np.array([])
    total = total[~np.isnan(total)]
    return total - total.mean() if len(total) else np.zeros(1)


def image_weights(generator: np.random.Generator, n: int, resamples: int) -> np.ndarray:
    """(resamples, n) float64: how often each of n images comes up in n draws with replacement."""
    drawn = generator.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=n * resamples).reshape(resamples, n).astype(np.float64)

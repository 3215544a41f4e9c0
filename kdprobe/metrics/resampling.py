"""Resampling images, and with each resample one redraw of the estimator's noise.

The redraw is not resampled along with the images, since an image drawn twice would carry the same error twice. All
columns take the same redraw, so that noise they share (common random numbers) cancels as it does between the columns.
"""

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


def deviations(noises, signs, statistic: str) -> np.ndarray:
    """(R,) signed sum of the statistics of a redraw's columns, less the mean over redraws.

    noises: for each column None or (R, n) redraws, NaN where an image has no value, R the same for all. Redraws in
    which a noisy column has no value are left out; a single 0 if none is left, or there is no noise. Noise widens, its
    bias (it makes spreads larger) does not shift.
    """
    pairs = zip(signs, noises, strict=True)
    redrawn = [sign * masked_statistic(noise, statistic) for sign, noise in pairs if noise is not None]
    total = sum(redrawn) if redrawn else np.array([])
    total = total[~np.isnan(total)]
    return total - total.mean() if len(total) else np.zeros(1)


def image_and_noise(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The generators that draw images and redraws of the noise: how many the one draws does not move the other."""
    images, noise = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(2))
    return images, noise


def drawn_images(generator: np.random.Generator, n: int, resamples: int) -> np.ndarray:
    """(resamples, n) int64, 0 ... n - 1: n images drawn with replacement, again and again."""
    return generator.integers(n, size=(resamples, n))


def image_weights(drawn: np.ndarray) -> np.ndarray:
    """(resamples, n) float64: how often each of the n images comes up in each of `drawn_images`."""
    resamples, n = drawn.shape
    rows = drawn + n * np.arange(resamples)[:, None]
    return np.bincount(rows.ravel(), minlength=n * resamples).reshape(resamples, n).astype(np.float64)

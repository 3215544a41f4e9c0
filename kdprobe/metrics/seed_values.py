"""The per-image values of k training seeds, as the intervals and tests over seeds need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np

from kdprobe.errors import InputError
from kdprobe.metrics.image_columns import image_columns
from kdprobe.metrics.resampling import deviations, drawn_images, masked_statistic

HELD = 1_000_000  #: drawn images held at a time, unless one resample has more
FEW_IMAGES = 4  #: a seed with fewer is taken to vary as all seeds' images do together
SIGNS = {1: (1.0,), 2: (1.0, -1.0)}  #: one network's value; student minus baseline


@dataclass(frozen=True, eq=False)
class SeedValues:
    """One seed's images that have a value in every network."""

    columns: list  #: a network's values (n,) each
    noises: list  #: None or (R, n) each
    images: np.ndarray  #: (n,) int64, the same number for the same image in all seeds

    @property
    def signs(self) -> tuple[float, ...]:
        return SIGNS[len(self.columns)]

    def value(self, statistic: str) -> float:
        """The signed sum of the networks' statistics."""
        return float(self.drawn(statistic, np.arange(len(self.images))))

    def drawn(self, statistic: str, places: np.ndarray) -> np.ndarray:
        """(...,) `value` of the images at the places (..., m), 0 ... n - 1."""
        pairs = zip(self.signs, self.columns, strict=True)
        return sum(sign * masked_statistic(column[places], statistic) for sign, column in pairs)

    def bootstrap(
        self, statistic: str, images: np.random.Generator, noise: np.random.Generator, resamples: int
    ) -> np.ndarray:
        """(resamples,) `value` of images drawn with replacement, each with one redraw of the estimator's noise."""
        n = len(self.images)
        held = max(1, HELD // n)
        sizes = [min(held, resamples - start) for start in range(0, resamples, held)]
        values = [self.drawn(statistic, drawn_images(images, n, size)) for size in sizes]
        return np.concatenate(values) + noise.choice(self.deviations(statistic), resamples)

    def contributions(self, statistic: str) -> np.ndarray:
        """(n,) what every image adds: their mean is `value`, their spread that of the linearised statistic."""
        pairs = zip(self.signs, self.columns, strict=True)
        return sum(sign * contributions(column, statistic) for sign, column in pairs)

    def deviations(self, statistic: str) -> np.ndarray:
        """(R,) what redraws of the estimator's noise do to `value`, their mean taken off."""
        return deviations(self.noises, self.signs, statistic)

    def resampled(self, statistic: str, weights: np.ndarray) -> np.ndarray:
        """(B,) `value` with the images weighted (B, n), how often each was drawn; NaN where none was.

        As `drawn`, for images that are drawn out of more than this seed has.
        """
        total = weights.sum(-1)
        divisor = np.maximum(total, 1)
        result = 0.0
        for sign, column in zip(self.signs, self.columns, strict=True):
            centre = column.mean()
            mean = weights @ (column - centre) / divisor
            if statistic == "mean":
                found = centre + mean
            else:
                found = np.maximum(weights @ (column - centre) ** 2 / divisor - mean**2, 0.0)
                found = np.sqrt(found) if statistic == "std" else found
            result = result + sign * found
        return np.where(total > 0, result, np.nan)


def contributions(values: np.ndarray, statistic: str) -> np.ndarray:
    """(n,) numbers with the statistic as their mean: values, squared deviations, or for the std its influence
    function (F. Hampel et al., Robust Statistics, 1986, section 2.1) added to it."""
    if statistic == "mean":
        return values
    squares = (values - values.mean()) ** 2
    if statistic == "var":
        return squares
    std = sqrt(squares.mean())
    return std + (squares - std**2) / (2 * std) if std > 0 else squares


def seed_values(
    networks: Sequence[Sequence[Any]],
    noises: Sequence[Sequence[Any] | None],
    images: Sequence[Sequence[str]] | None,
    statistic: str,
) -> tuple[list[SeedValues], bool]:
    """The seeds that have enough images (1, or 2 for a spread), and whether seeds share any of these images.

    networks: for each of one or two networks its k seeds' values (N_s,); noises: for each None or its k seeds' redraws,
    (R, N_s) or None; images: the k seeds' N_s image ids, or None: no image is in two seeds. Raises InputError where
    these do not fit together.
    """
    for name, what in (("values", networks), ("noise", [noise for noise in noises if noise is not None])):
        if any(not isinstance(network, Sequence) or isinstance(network, str) for network in what):
            raise InputError(f"The {name} of a network must be a list with one entry per seed; got no list.")
    counts = [len(network) for network in (*networks, *(n for n in noises if n is not None))]
    counts += [] if images is None else [len(images)]
    if len(set(counts)) > 1 or counts[0] == 0:
        raise InputError(f"Values, noise and images need the same seeds, at least one; got {counts} entries.")
    ids = _numbers(images, [len(values) for values in networks[0]])
    found = []
    for seed, numbers in enumerate(ids):
        seed_noises = [None if noise is None else noise[seed] for noise in noises]
        columns, seed_noises, kept = image_columns([network[seed] for network in networks], seed_noises)
        if len(kept) >= (1 if statistic == "mean" else 2):
            found.append(SeedValues(columns, seed_noises, numbers[kept]))
    together = np.concatenate([seed.images for seed in found]) if found else np.array([])
    return found, len(np.unique(together)) < len(together)


def _numbers(images, lengths: list[int]) -> list[np.ndarray]:
    if images is None:
        ends = np.cumsum(lengths)
        return [np.arange(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    for ids, length in zip(images, lengths, strict=True):
        if len(ids) != length or len(set(ids)) < length:
            raise InputError(
                f"A seed with {length} values needs {length} different image ids; got {len(set(ids))} of them."
            )
    number = {image: place for place, image in enumerate(sorted({image for ids in images for image in ids}))}
    return [np.array([number[image] for image in ids], dtype=np.int64) for ids in images]


def seed_error(seeds: list[SeedValues], statistic: str) -> tuple[float, float]:
    """Standard error and degrees of freedom of the mean over k ≥ 2 seeds, as an estimate for new seeds and images.

    s / sqrt(k), s the standard deviation (ddof 1) of the seeds' values, has k - 1 degrees of freedom: it holds the
    variation of training, images and noise, whatever their shares. Images that several seeds share move these seeds
    together, which s does not see: with v the variance of a seed's value and c the mean covariance of two, s² estimates
    v - c, and the mean has the variance v / k + (k - 1) c / k = s² / k + c. So c, from the images' contributions, is
    added (degrees of freedom after F. Satterthwaite, Biometrics Bulletin 2, 1946; c has those of the shared images).
    """
    k = len(seeds)
    variance = float(np.var([seed.value(statistic) for seed in seeds], ddof=1)) / k
    covariance = shared_covariance(seeds, statistic) / (k * (k - 1))
    if covariance == 0:
        return sqrt(variance), k - 1
    _, times = np.unique(np.concatenate([seed.images for seed in seeds]), return_counts=True)
    free = (variance + covariance) ** 2 / (
        variance**2 / (k - 1) + covariance**2 / max((times > 1).sum() - 1, 1)
    )
    return sqrt(variance + covariance), float(free)


def image_error(seeds: list[SeedValues], statistic: str) -> tuple[float, float]:
    """Standard error and degrees of freedom of the mean over these k ≥ 1 seeds: what images and noise make of it.

    Each seed has its images' variance (ddof 1), one with fewer than `FEW_IMAGES` the pooled one, and that of its noise;
    images in several seeds add their covariance. Degrees of freedom after Satterthwaite, at most those of
    `pooled_images`. NaN and 0 where no seed has two images.
    """
    pooled, most = pooled_images(seeds, statistic)
    if most < 1:
        return nan, 0.0
    borrowed = pooled**2 * sum(1 / len(seed.images) for seed in seeds if len(seed.images) < FEW_IMAGES)
    own, unsure = 0.0, borrowed**2 / sum(len(seed.images) - 1 for seed in seeds)
    for seed in seeds:
        n = len(seed.images)
        if n >= FEW_IMAGES:
            part = seed.contributions(statistic).var(ddof=1) / n
            own, unsure = own + part, unsure + part**2 / (n - 1)
    total = own + borrowed + sum(seed.deviations(statistic).var() for seed in seeds)
    free = min(total**2 / unsure, most) if unsure > 0 else most
    error = sqrt(total + shared_covariance(seeds, statistic)) / len(seeds)
    return error, float(free)


def pooled_images(seeds: list[SeedValues], statistic: str) -> tuple[float, int]:
    """Standard deviation of the images' contributions about their seeds' means, and its degrees of freedom.

    These are the values less the seeds, or, where seeds share images, the distinct images less one, if that is less:
    an image seen in three trainings is still one image. NaN without any.
    """
    within = sum(len(seed.images) - 1 for seed in seeds)
    if within < 1:
        return nan, 0
    squares = sum(len(seed.images) * seed.contributions(statistic).var() for seed in seeds)
    return sqrt(squares / within), min(within, distinct_images(seeds) - 1)


def distinct_images(seeds: list[SeedValues]) -> int:
    """How many images there are, each counted once."""
    return len(np.unique(np.concatenate([seed.images for seed in seeds]))) if seeds else 0


def shared_covariance(seeds: list[SeedValues], statistic: str) -> float:
    """Sum of the covariances of the values of all ordered pairs of seeds, from the images that both have; ≥ 0.

    That of two seeds of n and m images is the sum over the shared ones of the products of their deviations, over n m,
    times sqrt(n / (n - 1) m / (m - 1)); a seed with a single image has no deviation.
    """
    if distinct_images(seeds) == sum(len(seed.images) for seed in seeds):
        return 0.0
    total, own = {}, 0.0
    for seed in seeds:
        parts = seed.contributions(statistic)
        n = len(parts)
        parts = (parts - parts.mean()) / sqrt(n * max(n - 1, 1))
        own += float((parts**2).sum())
        for image, part in zip(seed.images.tolist(), parts.tolist(), strict=True):
            total[image] = total.get(image, 0.0) + part
    return max(sum(part**2 for part in total.values()) - own, 0.0)

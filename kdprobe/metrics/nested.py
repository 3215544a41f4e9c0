"""Intervals over images nested in training seeds.

**Two intervals.** "Images" resamples images within these seeds, both networks' values of an image together and with
one redraw of each seed's estimation noise, as `kdprobe.metrics.inference` does for one seed. Its percentiles are moved
away from the value by Student's t over the normal, with Welch's degrees of freedom (`seed_values.image_error`; images
that seeds share count once). It says how sure the mean over *these* trainings is. The interval itself speaks of new
seeds: the hull of that one and of Student's t over the seeds' values, mean +- t_{k-1} s / sqrt(k), s their standard
deviation (ddof 1). s holds the variation between seeds, images and noise in whatever shares they have; the same is
known of random-effects means of few studies (J. Hartung and G. Knapp, Statistics in Medicine 20, 2001; with a lower
bound for seeds that agree by chance: C. Roever, G. Knapp and T. Friede, BMC Medical Research Methodology 15, 2015,
whose bound multiplies by t, ours is the interval over images).

**Why seeds are not resampled.** Resampling k seeds shows only (k - 1) / k of their variance and reaches no farther than
the outermost seed, resampling images within them counts their variance twice (A. Davison and D. Hinkley, Bootstrap
Methods and their Application, 1997, section 3.8): the two errors cancel at one ratio of both alone.

**Images of several seeds** move these seeds together, which s does not see. Where image ids say so, an image is drawn
in all its seeds at once, and the mean covariance of two seeds is added to s² / k (`seed_values.seed_error`).

**Few seeds.** With one seed there is no interval over seeds. With two, t is 12.7: next to nothing is decided, and
that is all two seeds can bear; the interval rests on their differences being normal, as it does, less, with three.

Coverage of the 95 % intervals, simulated (analyses/inference_calibration.py: n = 40, and 20 for k = 3, normal and
skewed values, means and standard deviations, between = 1 means alone: lowest and highest of these, each of 400
simulations, Monte Carlo error 0.011; `between`: standard deviation of the seeds' true differences, in units of the
paired differences' between images; bootstrap: the one used before; half lengths for means of normal values, n = 40):

| k | between | this one | images alone | bootstrap | half lengths |
| --- | --- | --- | --- | --- | --- |
| 2 | 0 | 0.980-0.995 | 0.920-0.968 | 0.998-1.000 | 1.20, 0.22, 0.44 |
| 2 | 0.3 | 0.958-0.983 | 0.593-0.642 | 0.935-0.955 | 2.44, 0.22, 0.57 |
| 2 | 1 | 0.943-0.970 | 0.247-0.247 | 0.765-0.775 | 7.61, 0.22, 1.13 |
| 3 | 0 | 0.970-0.993 | 0.917-0.953 | 0.993-1.000 | 0.35, 0.18, 0.33 |
| 3 | 0.3 | 0.948-0.980 | 0.615-0.750 | 0.940-0.980 | 0.75, 0.18, 0.45 |
| 3 | 1 | 0.938-0.963 | 0.205-0.330 | 0.815-0.890 | 2.22, 0.18, 1.04 |
| 5 | 0.3 | 0.948-0.965 | 0.620-0.675 | 0.953-0.975 | 0.41, 0.14, 0.36 |
| 10 | 0 | 0.953-0.973 | 0.917-0.948 | 0.998-1.000 | 0.12, 0.10, 0.17 |
| 10 | 0.3 | 0.945-0.960 | 0.618-0.647 | 0.973-0.975 | 0.24, 0.10, 0.25 |

So it covers as it says, more where seeds do not differ, which few seeds cannot know; images alone speak of new seeds
only there. The same images in all seeds: 0.94-0.97 with three seeds and more, 0.90-0.96 with two. With noise 0.94-0.99.
One seed's covers 0.92-0.95 between equal seeds. A single network's spread is less sure, since a sample's is too small
on average: 0.88-0.97 for normal values and three or ten seeds, 0.86-0.94 for skewed ones, 0.68-0.91 with one seed.
"""

from collections.abc import Sequence
from math import inf, nan, sqrt
from typing import Any

import numpy as np

from kdprobe.metrics.inference import (
    bootstrap_interval,
    interval_settings,
    paired_difference,
    possible,
)
from kdprobe.metrics.resampling import drawn_images, image_and_noise, image_weights
from kdprobe.metrics.seed_values import (
    FEW_IMAGES,
    SeedValues,
    distinct_images,
    image_error,
    pooled_images,
    seed_error,
    seed_values,
)
from kdprobe.records import NO_VALUE, Interval, NestedInterval


def nested_difference(
    student: Sequence[Any],
    baseline: Sequence[Any],
    *,
    statistic: str = "mean",
    seed: int,
    student_noise: Sequence[Any] | None = None,
    baseline_noise: Sequence[Any] | None = None,
    images: Sequence[Sequence[str]] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
) -> NestedInterval:
    """Mean over k seeds of statistic(student) - statistic(baseline), with its interval for new seeds and images.

    student, baseline: one tensor (N_s,) per training seed, values of the same images in the same order, NaN where an
    image has none (an image counts in a seed if both have a value; a seed without one is left out, for std and var a
    seed with fewer than two). statistic: mean, std or var (ddof 0). noises: None, or per seed None or (R, N_s) as for
    `paired_difference`. images: the N_s image ids of every seed; None says that no image is in two seeds.

    The record also holds the interval over images within these seeds, the number of seeds, of values (n) and of
    different images.
    With one seed both intervals are `paired_difference`'s and say nothing about other seeds. NaN as there. Raises
    InputError as `paired_difference` does, and for lists of different lengths.
    """
    return _nested(
        [student, baseline],
        [student_noise, baseline_noise],
        images,
        (-inf, inf),
        statistic,
        seed,
        level,
        resamples,
    )


def nested_interval(
    values: Sequence[Any],
    *,
    statistic: str = "mean",
    seed: int,
    noise: Sequence[Any] | None = None,
    images: Sequence[Sequence[str]] | None = None,
    limits: tuple[float, float] = (-inf, inf),
    level: float = 0.95,
    resamples: int = 2000,
) -> NestedInterval:
    """The same for one network: the mean over k seeds of the statistic of its per-image values.

    values and noise: per seed, as for `bootstrap_interval`, whose `limits` cut these intervals too; the rest as for
    `nested_difference`.
    """
    interval_settings(statistic, level, resamples)
    limits = possible(limits, statistic)
    return _nested([values], [noise], images, limits, statistic, seed, level, resamples)


def _nested(networks, noises, images, limits, statistic, seed, level, resamples) -> NestedInterval:
    interval_settings(statistic, level, resamples)
    seeds, shared = seed_values(networks, noises, images, statistic)
    if len(seeds) < 2:
        alone = _one_seed(seeds, limits, statistic, seed, level, resamples)
        return NestedInterval(
            alone.value,
            alone.low,
            alone.high,
            alone.n,
            alone.low,
            alone.high,
            seeds=len(seeds),
            images=alone.n,
        )
    n, k = sum(len(one.images) for one in seeds), len(seeds)
    value = float(np.mean([one.value(statistic) for one in seeds]))
    within = (nan, nan)

    from scipy import stats

    _, free = image_error(seeds, statistic)
    if free > 0:
        stretch = stats.t.ppf((1 + level) / 2, free) / stats.norm.ppf((1 + level) / 2)
        drawn = image_draws(seeds, shared, statistic, seed, resamples)
        bounds = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        within = tuple(value + stretch * bounds)
    error, free = seed_error(seeds, statistic)
    half = float(stats.t.ppf((1 + level) / 2, free)) * error
    low, high = np.fmin(value - half, within[0]), np.fmax(value + half, within[1])
    low, high, *within = np.clip([low, high, *within], *limits).tolist()
    return NestedInterval(value, low, high, n, *within, seeds=k, images=distinct_images(seeds))


def _one_seed(seeds: list[SeedValues], limits, statistic, seed, level, resamples) -> Interval:
    if not seeds:
        return NO_VALUE
    columns, noises = seeds[0].columns, seeds[0].noises
    settings = {"statistic": statistic, "seed": seed, "level": level, "resamples": resamples}
    if len(columns) == 1:
        return bootstrap_interval(columns[0], noise=noises[0], limits=limits, **settings)
    return paired_difference(*columns, student_noise=noises[0], baseline_noise=noises[1], **settings)


def image_draws(
    seeds: list[SeedValues], shared: bool, statistic: str, seed: int, resamples: int
) -> np.ndarray:
    """(resamples,) how far the mean over the seeds moves with resampled images and one redraw of every seed's noise.

    Images are drawn within each seed; if seeds share some, from all images, an image together with all its values.
    n images show (n - 1) / n of their variance, so that a seed's moves are widened by sqrt(n / (n - 1)). One with a
    single image shows none, one with two or three too little of its law: they move as normal values of the pooled
    variance do (two or three that other seeds may have as well: as they are, so that these move along).
    """
    images, noise = image_and_noise(seed)
    total = 0.0
    everywhere = np.unique(np.concatenate([one.images for one in seeds]))
    weights = image_weights(drawn_images(images, len(everywhere), resamples)) if shared else None
    pooled, _ = pooled_images(seeds, statistic)
    for one in seeds:
        n = len(one.images)
        if n == 1 or (n < FEW_IMAGES and not shared):
            total = total + pooled / sqrt(n) * images.normal(size=resamples)
        else:
            if shared:
                own = weights[:, np.searchsorted(everywhere, one.images)]
            else:
                own = image_weights(drawn_images(images, n, resamples))
            moved = one.resampled(statistic, own) - one.value(statistic)
            total = total + moved * sqrt(n / (n - 1))
        total = total + noise.choice(one.deviations(statistic), resamples)
    return total / len(seeds)

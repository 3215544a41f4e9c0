"""Intervals over images nested in training seeds.

**Two intervals.** "Images" resamples images within these seeds, both networks' values of an image together and with
one redraw of each seed's estimation noise, as `kdprobe.metrics.inference` does for one seed (its tails expanded with
n - k degrees of freedom). It says how sure the mean over *these* trainings is. The interval itself speaks of new
seeds: the hull of that one and of Student's t over the seeds' values, mean +- t_{k-1} s / sqrt(k), s their standard
deviation (ddof 1). s holds the variation between seeds, images and noise in whatever shares they have; the same is
known of random-effects means of few studies (J. Hartung and G. Knapp, Statistics in Medicine 20, 2001; with a lower
bound for seeds that agree by chance: C. Roever, G. Knapp and T. Friede, BMC Medical Research Methodology 15, 2015,
whose bound multiplies by t, ours is the interval over images).

**Why seeds are not resampled.** Resampling k seeds shows only (k - 1) / k of their variance and reaches no farther than
the outermost seed, resampling images within them counts their variance twice (A. Davison and D. Hinkley, Bootstrap
Methods and their Application, 1997, section 3.8): the two errors cancel at one ratio of both alone.

**Images of several seeds** move these seeds together, which s does not see. Where image ids say so, an image is drawn
in all its seeds at once, and the covariance is added to s² / k (`kdprobe.metrics.seed_values.seed_error`).

**Few seeds.** With one seed there is no interval over seeds. With two, t is 12.7: next to nothing is decided, and
that is all two seeds can bear; the interval rests on their differences being normal, as it does, less, with three.

Coverage of the 95 % intervals, simulated (analyses/inference_calibration.py; n = 20 and 40, normal and skewed values,
means and standard deviations: lowest and highest of these, each of 400 simulations, Monte Carlo error 0.011;
`between`: standard deviation of the seeds' true differences, in units of the paired differences' between images; half
lengths for means of normal values at n = 40):

| k | between | this one | images alone | plain nested bootstrap | half lengths |
| --- | --- | --- | --- | --- | --- |
| 2 | 0 | 0.988-0.995 | 0.927-0.983 | 0.998-1.000 | 1.14, 0.22, 0.44 |
| 2 | 0.1 | 0.978-0.993 | 0.887-0.932 | 0.993-1.000 | 1.36, 0.22, 0.46 |
| 2 | 0.3 | 0.955-0.983 | 0.625-0.777 | 0.945-0.980 | 2.57, 0.22, 0.58 |
| 2 | 1 | 0.948-0.965 | 0.247-0.355 | 0.760-0.835 | 7.03, 0.22, 1.07 |
| 3 | 0 | 0.983-0.995 | 0.932-0.958 | 0.998-1.000 | 0.34, 0.18, 0.33 |
| 3 | 0.1 | 0.963-0.993 | 0.885-0.922 | 0.990-1.000 | 0.41, 0.18, 0.34 |
| 3 | 0.3 | 0.953-0.983 | 0.613-0.772 | 0.943-0.985 | 0.76, 0.18, 0.46 |
| 3 | 1 | 0.945-0.958 | 0.237-0.362 | 0.833-0.845 | 2.20, 0.18, 1.03 |
| 5 | 0 | 0.960-0.985 | 0.922-0.965 | 0.995-1.000 | 0.20, 0.14, 0.25 |
| 5 | 0.1 | 0.960-0.980 | 0.890-0.922 | 0.990-1.000 | 0.23, 0.14, 0.26 |
| 5 | 0.3 | 0.940-0.975 | 0.578-0.772 | 0.948-0.993 | 0.40, 0.14, 0.35 |
| 5 | 1 | 0.938-0.955 | 0.210-0.338 | 0.877-0.917 | 1.17, 0.14, 0.84 |
| 10 | 0 | 0.948-0.975 | 0.922-0.963 | 0.998-1.000 | 0.12, 0.10, 0.17 |
| 10 | 0.1 | 0.940-0.970 | 0.870-0.912 | 0.993-1.000 | 0.13, 0.10, 0.18 |
| 10 | 0.3 | 0.935-0.963 | 0.610-0.805 | 0.955-0.990 | 0.24, 0.10, 0.25 |
| 10 | 1 | 0.940-0.955 | 0.230-0.345 | 0.917-0.935 | 0.69, 0.10, 0.60 |

So it covers as it says, more where seeds do not differ, which few seeds cannot know; images alone speak of new seeds
only there. With one seed its interval covers 0.93-0.98 between equal seeds (0.91-0.92 for spreads of skewed values).
"""

from collections.abc import Sequence
from math import inf, nan
from typing import Any

import numpy as np

from kdprobe.metrics.inference import (
    bootstrap_interval,
    expanded_tail,
    interval_settings,
    paired_difference,
)
from kdprobe.metrics.seed_values import SeedValues, seed_error, seed_values
from kdprobe.records import Interval, NestedInterval


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

    The record also holds the interval over images within these seeds, the number of seeds and, in n, of values.
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
    return _nested([values], [noise], images, limits, statistic, seed, level, resamples)


def _nested(networks, noises, images, limits, statistic, seed, level, resamples) -> NestedInterval:
    interval_settings(statistic, level, resamples)
    seeds, shared = seed_values(networks, noises, images, statistic)
    if len(seeds) < 2:
        alone = _one_seed(seeds, limits, statistic, seed, level, resamples)
        return NestedInterval(
            alone.value, alone.low, alone.high, alone.n, alone.low, alone.high, seeds=len(seeds)
        )
    n, k = sum(len(one.images) for one in seeds), len(seeds)
    value = float(np.mean([one.value(statistic) for one in seeds]))
    within = (nan, nan)
    if n > k:
        tail = expanded_tail(level, n, k)
        drawn = image_draws(seeds, shared, statistic, seed, resamples)
        within = tuple(np.nanquantile(drawn, [tail, 1 - tail]))

    from scipy import stats

    error, free = seed_error(seeds, statistic)
    half = float(stats.t.ppf((1 + level) / 2, free)) * error
    lowest, highest = (
        limits if statistic == "mean" or len(networks) == 2 else (max(limits[0], 0.0), limits[1])
    )
    low, high = np.fmin(value - half, within[0]), np.fmax(value + half, within[1])
    low, high, *within = np.clip([low, high, *within], lowest, highest).tolist()
    return NestedInterval(value, low, high, n, *within, seeds=k)


def _one_seed(seeds: list[SeedValues], limits, statistic, seed, level, resamples) -> Interval:
    if not seeds:
        return Interval(nan, nan, nan, 0)
    columns, noises = seeds[0].columns, seeds[0].noises
    settings = {"statistic": statistic, "seed": seed, "level": level, "resamples": resamples}
    if len(columns) == 1:
        return bootstrap_interval(columns[0], noise=noises[0], limits=limits, **settings)
    return paired_difference(*columns, student_noise=noises[0], baseline_noise=noises[1], **settings)


def image_draws(
    seeds: list[SeedValues], shared: bool, statistic: str, seed: int, resamples: int
) -> np.ndarray:
    """(resamples,) the mean over the seeds, with resampled images and one redraw of every seed's noise.

    Images are drawn within each seed; if seeds share some, from all images, an image together with all its values.
    """
    generators = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]
    total = 0.0
    everywhere = np.unique(np.concatenate([one.images for one in seeds]))
    weights = _weights(generators[0], len(everywhere), resamples) if shared else None
    for one in seeds:
        if shared:
            own = weights[:, np.searchsorted(everywhere, one.images)]
        else:
            own = _weights(generators[0], len(one.images), resamples)
        total = total + one.resampled(statistic, own)
        total = total + generators[1].choice(one.deviations(statistic), resamples)
    return total / len(seeds)


def _weights(generator: np.random.Generator, n: int, resamples: int) -> np.ndarray:
    """(resamples, n) float64: how often each of n images comes up in n draws with replacement."""
    drawn = generator.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=n * resamples).reshape(resamples, n).astype(np.float64)

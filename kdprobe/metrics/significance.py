"""Tests of no difference between student and baseline, and what they can say.

**Two claims, two units of exchange.** "These trained networks differ" is a claim over images: if they did not,
student and baseline could be swapped on every image. "Distillation makes a difference" is a claim over trainings: then
whole seeds are what could be swapped, and k seeds have 2^k swaps, so that no two-sided p value can fall below
2^(1 - k): 0.25 with three seeds, 0.06 with five; six are needed for 5 %. `p_permutation` and `p_wilcoxon` are of the
first kind, `p_seeds` of the second. `p_nested` is of the second kind as well and can be small with three seeds, but
only since it takes the seeds' differences for normal: it is the larger of Student's t over the seeds and
`p_permutation`, as the nested interval is the hull of the two intervals over seeds and images. It and the verdict agree
nearly always (their rates differ by at most 2 of 400), not by construction: images are swapped here, there resampled.

Simulated (analyses/results/inference_calibration.csv): at three and five equal seeds `p_nested` ≤ 0.05 in 0-5 % of
cases, where seeds differ by 0.3 of the images' standard deviation in 3-7 %. `p_permutation` is so in 4-6 % of equal
seeds, `p_wilcoxon` in up to 11 % where differences are skewed (it asks for symmetry, not for a mean of 0) and in 18 %
where there is noise, of which it knows nothing. Where seeds differ these two reject in 19-40 %: rightly for these
networks, of which they speak, but for noise.

**Verdicts and p_holm.** A verdict is about one comparison: where nothing differs, up to 5 % of them are wrong, and in
a table of m comparisons some will be. Holm's p values are about the table: the chance that any of its claims with
p_holm < 0.05 is wrong is at most 5 %, however the comparisons depend on each other. Both stand, and are read so:

- supported or contradicted, p_holm < 0.05 of the same claim: holds, also as one of m;
- supported or contradicted, p_holm ≥ 0.05: shown where this comparison was the question beforehand, not where it
  was picked from the table for its verdict;
- undecided, p_holm of `p_permutation` < 0.05: these trained networks differ; whether newly trained ones would is open;
- undecided, p_holm ≥ 0.05: nothing shown; `detectable` says how large a difference would have been missed.

Holm over `p_permutation` corrects the claim about these networks only; over `p_nested`, that of the verdicts. A table
counts each claim once: the spread of D as standard deviation, not as variance too (`CLAIMS`).
"""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np

from kdprobe.errors import InputError
from kdprobe.metrics.effect import detectable, paired_effect, superiority
from kdprobe.metrics.inference import interval_settings
from kdprobe.metrics.seed_values import SeedValues, seed_error, seed_values
from kdprobe.records import DifferenceTests


def difference_tests(
    student: Sequence[Any],
    baseline: Sequence[Any],
    *,
    statistic: str = "mean",
    seed: int,
    student_noise: Sequence[Any] | None = None,
    baseline_noise: Sequence[Any] | None = None,
    images: Sequence[Sequence[str]] | None = None,
    resamples: int = 2000,
) -> DifferenceTests:
    """p values, effect and detectable difference for the arguments of `nested_difference` (see there).

    p_permutation: images are swapped between student and baseline (an image of several seeds in all of them at once;
    for std and var its deviations from the networks' means are), the statistic is the mean over the seeds of the
    difference (`scipy.stats.permutation_test`, all swaps if they are no more than `resamples`, else random ones and
    never 0). With noise, each swap adds a redraw of it, as in the intervals; p is never below that without.
    p_wilcoxon: signed ranks (`scipy.stats.wilcoxon`; zeros are dropped, equal sizes share their mean rank) of the
    images' differences, for std and var of their squared deviations; it knows no noise. p_seeds: signs of the seeds'
    differences flipped. Where nothing at all differs p is 1.

    NaN where there are no images, and p_seeds and p_nested with one seed. Errors as for `nested_difference`.
    """
    interval_settings(statistic, 0.95, resamples)
    seeds, _shared = seed_values([student, baseline], [student_noise, baseline_noise], images, statistic)
    n, k = sum(len(one.images) for one in seeds), len(seeds)
    if k == 0:
        return DifferenceTests(0, 0, nan, nan, nan, nan, nan, nan, nan)
    swap_seed, noise_seed = np.random.SeedSequence(seed).spawn(2)
    p_images = _swapped_images(seeds, statistic, resamples, swap_seed, noise_seed)
    p_seeds = p_nested = nan
    if k > 1:
        p_seeds, p_nested = _swapped_seeds(seeds, statistic), max(p_images, _student_p(seeds, statistic))
    return DifferenceTests(
        n=n,
        seeds=k,
        p_permutation=p_images,
        p_wilcoxon=_signed_ranks(seeds, statistic),
        p_seeds=p_seeds,
        p_nested=p_nested,
        effect=paired_effect(seeds, statistic),
        superiority=superiority(seeds, statistic),
        detectable=detectable(seeds, statistic),
    )


def _parts(seed: SeedValues, statistic: str) -> list[np.ndarray]:
    """Student's and baseline's (n,) values, or their squared deviations: what is swapped."""
    if statistic == "mean":
        return seed.columns
    return [(column - column.mean()) ** 2 for column in seed.columns]


def _swapped_images(seeds, statistic, resamples, swap_seed, noise_seed) -> float:
    from scipy import stats

    everywhere = np.unique(np.concatenate([one.images for one in seeds]))
    if len(everywhere) == 1:
        return 1.0  # two swaps, equally far from 0

    def difference(signs: np.ndarray, axis: int = -1) -> np.ndarray:
        total = 0.0
        for one in seeds:
            own = np.moveaxis(signs, axis, -1)[..., np.searchsorted(everywhere, one.images)]
            first, second = _parts(one, statistic)
            middle, half = (first + second).mean() / 2, own @ (first - second) / (2 * len(first))
            ends = [middle + half, middle - half]
            if statistic == "std":
                ends = [np.sqrt(np.maximum(end, 0.0)) for end in ends]
            total = total + ends[0] - ends[1]
        return total / len(seeds)

    found = stats.permutation_test(
        (np.ones(len(everywhere)),),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 1_000_000 // len(everywhere)),
        rng=np.random.default_rng(swap_seed),
    )
    if not any(noise is not None for one in seeds for noise in one.noises):
        return float(found.pvalue)
    generator = np.random.default_rng(noise_seed)
    swapped = np.tile(found.null_distribution, -(-resamples // len(found.null_distribution)))
    for one in seeds:
        swapped = swapped + generator.choice(one.deviations(statistic), len(swapped)) / len(seeds)
    noisy = ((np.abs(swapped) >= abs(found.statistic) * (1 - 1e-12)).sum() + 1) / (len(swapped) + 1)
    # Noise moves half of the swaps that are exactly as far from 0 as what was found below it, however little it is.
    return float(max(found.pvalue, noisy))


def _swapped_seeds(seeds, statistic) -> float:
    from scipy import stats

    found = stats.permutation_test(
        ([one.value(statistic) for one in seeds],),
        np.mean,
        permutation_type="samples",
        n_resamples=2**12,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _student_p(seeds, statistic) -> float:
    from scipy import stats

    error, free = seed_error(seeds, statistic)
    value = abs(np.mean([one.value(statistic) for one in seeds]))
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stats.t.sf(value / error, free))


def _signed_ranks(seeds, statistic) -> float:
    """The differences of an image that several seeds share enter as their mean."""
    from scipy import stats

    parts = [_parts(one, statistic) for one in seeds]
    differences = np.concatenate([first - second for first, second in parts])
    _, place = np.unique(np.concatenate([one.images for one in seeds]), return_inverse=True)
    differences = np.bincount(place, differences) / np.bincount(place)
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def holm(p_values: Any) -> np.ndarray:
    """p values (m,) corrected for being m: below alpha, the chance of any false claim in the table is below alpha.

    The j-th smallest of m becomes the largest of (m - i + 1) p_i over i ≤ j, at most 1 (S. Holm, Scandinavian Journal
    of Statistics 6, 1979). NaN stays NaN and does not count into m. Raises InputError for other shapes and for values
    outside 0 ... 1.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    known = p_values[~np.isnan(p_values)]
    if p_values.ndim != 1 or (known < 0).any() or (known > 1).any():
        raise InputError(f"p values must be a list of numbers in 0 ... 1 or NaN; got {p_values.tolist()}.")
    order = np.argsort(known)
    raised = np.maximum.accumulate(known[order] * np.arange(len(known), 0, -1)).clip(max=1.0)
    result, corrected = np.full_like(p_values, nan), np.empty_like(known)
    corrected[order] = raised
    result[~np.isnan(p_values)] = corrected
    return result

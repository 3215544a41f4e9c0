"""Tests and intervals by enumeration and numerical integration, in plain Python; nothing of kdprobe, scipy or numpy."""

from itertools import combinations, product
from math import erf, exp, lgamma, log, sqrt

EPSILON = 1e-9  #: sums of the same numbers in another order are the same


def mean(values):
    return sum(values) / len(values)


def spread(values, statistic):
    middle = mean(values)
    if statistic == "mean":
        return middle
    variance = mean([(value - middle) ** 2 for value in values])
    return sqrt(variance) if statistic == "std" else variance


def holm(p_values):
    """Closed testing: a claim stands if every set of claims it belongs to is refuted by Bonferroni."""
    corrected = []
    for claim in range(len(p_values)):
        worst = 0.0
        others = [other for other in range(len(p_values)) if other != claim]
        for size in range(len(others) + 1):
            for rest in combinations(others, size):
                family = [p_values[claim]] + [p_values[other] for other in rest]
                worst = max(worst, min(1.0, len(family) * min(family)))
        corrected.append(worst)
    return corrected


def share_at_least(statistics, observed):
    return mean([abs(value) >= abs(observed) - EPSILON for value in statistics])


def swap_p(seeds, statistic):
    """seeds: [(student, baseline, ids)]. Every image swapped or not, in all seeds that have it."""
    ids = sorted({image for _, _, own in seeds for image in own})
    found = []
    for swaps in product([False, True], repeat=len(ids)):
        swapped = dict(zip(ids, swaps, strict=True))
        total = 0.0
        for student, baseline, own in seeds:
            if statistic != "mean":
                student, baseline = (
                    [(value - mean(column)) ** 2 for value in column] for column in (student, baseline)
                )
            first, second = [], []
            for a, b, image in zip(student, baseline, own, strict=True):
                first.append(b if swapped[image] else a)
                second.append(a if swapped[image] else b)
            if statistic == "std":
                total += sqrt(mean(first)) - sqrt(mean(second))
            else:
                total += mean(first) - mean(second)
        found.append(total / len(seeds))
    return share_at_least(found, found[0])


def signed_rank_p(differences):
    """All signs of the ranks of |difference|; no ties."""
    order = sorted(differences, key=abs)
    half = len(order) * (len(order) + 1) / 4
    ranks = range(1, len(order) + 1)
    observed = sum(rank for rank, value in zip(ranks, order, strict=True) if value > 0) - half
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) - half
        for signs in product([0, 1], repeat=len(order))
    ]
    return share_at_least(sums, observed)


def seed_sign_p(values):
    means = [
        mean([s * v for s, v in zip(signs, values, strict=True)])
        for signs in product([1, -1], repeat=len(values))
    ]
    return share_at_least(means, mean(values))


def chi_expectation(function, m, steps=20_000):
    """E function(U), U = sqrt(chi²_m / m), by the midpoint rule over U in 0 ... 12 (m = 1: the widest)."""
    total, width = 0.0, 12 / steps
    for step in range(steps):
        u = (step + 0.5) * width
        density = log(2) + (m / 2) * log(m / 2) - lgamma(m / 2) + (m - 1) * log(u) - m * u * u / 2
        total += function(u) * exp(density) * width
    return total


def hedges_correction(m):
    """What makes mean / standard deviation unbiased: 1 / E(1/U)."""
    return 1 / chi_expectation(lambda u: 1 / u, m)


def t_power(delta, edge, m):
    """P(T > edge), T = (Z + delta) / U."""
    return chi_expectation(lambda u: 0.5 * (1 + erf((delta - edge * u) / sqrt(2))), m)


def resampled_seed_means(seeds, statistic):
    """seeds: [(student, baseline)]; their mean difference for every way to draw images within each seed, sorted."""
    by_seed = []
    for student, baseline in seeds:
        draws = product(range(len(student)), repeat=len(student))
        by_seed.append(
            [
                spread([student[i] for i in draw], statistic) - spread([baseline[i] for i in draw], statistic)
                for draw in draws
            ]
        )
    return sorted(mean(choice) for choice in product(*by_seed))


def shared_covariances(seeds):
    """seeds: [(values, ids)]; the covariances of the means of any two seeds from the images that both have, summed."""
    total = 0.0
    for first, (values, ids) in enumerate(seeds):
        for second, (others, other_ids) in enumerate(seeds):
            if first == second:
                continue
            n, m = len(ids), len(other_ids)
            for value, image in zip(values, ids, strict=True):
                for other, other_image in zip(others, other_ids, strict=True):
                    if image == other_image:
                        product_ = (value - mean(values)) * (other - mean(others))
                        total += product_ / sqrt(n * (n - 1) * m * (m - 1))
    return max(total, 0.0)


def variance_of_mean(k, n, image, own, between):
    """Of the mean over k seeds and n images that all have: standard deviations of what an image brings into every
    seed, of what it brings into one alone, and of the seeds."""
    return image**2 / n + own**2 / (n * k) + between**2 / k

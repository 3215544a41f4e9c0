"""How often intervals over seeds hold the truth, and how often tests find a difference that is there, or is not.

    python -m analyses.inference_calibration --out analyses/results/inference_calibration

Simulated: k seeds of n images each (others in every seed). Both networks' values of an image share its own part
(standard deviation 1) and have an error each, such that their paired differences have standard deviation 1. `law`:
normal, or skewed: the image's part and the student's error are exponential. Every seed's true difference, of the means
or of the standard deviations, is normal about the true one with standard deviation `between`; in five metrics on Tiny
ImageNet (three seeds, 40 images) it came to about 0.1-0.3 in this unit.

Columns: coverage of the nested interval, of the interval over images alone and of the plain nested bootstrap
(percentiles of resampled seeds and images, widened by sqrt(k / (k - 1))), each the share of `simulations` in which the
95 % interval held the true difference (that of new seeds, of which the interval over images does not speak where
between > 0), coverage_error the Monte Carlo standard error of the first; widths are mean half lengths.

Where tests were run (test_simulations): the share with p ≤ 0.05 where the true difference is 0 (equal_) and where it
is 0.4 (other_); for p_permutation and p_wilcoxon, whose claim is about these networks, equal_ is an error rate only
where between is 0. verdict: the nested interval leaves 0 out; equal_holm: of tables of five independent comparisons
without difference, those in which any has Holm's p_nested ≤ 0.05 (k = 1: p_permutation); detectable: its mean.
"""

import argparse
from itertools import product
from math import isnan, sqrt
from pathlib import Path

import numpy as np

from analyses.pool_seeds import write_table
from kdprobe.metrics import difference_tests, holm, nested_difference
from kdprobe.records import DifferenceTests

SEEDS = (1, 2, 3, 5, 10)
IMAGES = (20, 40)
BETWEEN = (0.0, 0.1, 0.3, 1.0)
MOST_BETWEEN_SPREADS = 0.3  #: more would make standard deviations negative
LAWS = ("normal", "skewed")
STATISTICS = ("mean", "std")
DIFFERENCE = 0.4  #: where power is asked for
TOGETHER = 5  #: comparisons in a simulated table
RESAMPLES = 1000


def experiment(
    generator: np.random.Generator,
    k: int,
    n: int,
    between: float,
    law: str,
    statistic: str,
    difference: float,
) -> tuple[list, list]:
    """Student's and baseline's values, k times (n,), with this true difference of the statistic."""
    student, baseline = [], []
    for _ in range(k):
        image, own, other = generator.normal(size=(3, n))
        if law == "skewed":
            image, own = generator.exponential(size=(2, n)) - 1
        own, other = image + own * sqrt(0.5), image + other * sqrt(0.5)
        true = difference + between * generator.normal()
        student.append(own + true if statistic == "mean" else own * (1 + true / sqrt(1.5)))
        baseline.append(other)
    return student, baseline


def plain_bootstrap(
    generator: np.random.Generator, student: list, baseline: list, statistic: str
) -> tuple[float, float]:
    """The 2.5 and 97.5 % quantiles of resampled seeds and images, widened about the mean by sqrt(k / (k - 1))."""
    k, statistic = len(student), {"mean": np.mean, "std": np.std}[statistic]
    exact = np.mean([statistic(a) - statistic(b) for a, b in zip(student, baseline, strict=True)])
    drawn = []
    for a, b in zip(student, baseline, strict=True):
        images = generator.integers(len(a), size=(RESAMPLES, len(a)))
        drawn.append(statistic(a[images], axis=1) - statistic(b[images], axis=1))
    seeds = generator.integers(k, size=(RESAMPLES, k))
    means = np.take_along_axis(np.stack(drawn, 1), seeds, axis=1).mean(1)
    low, high = np.quantile(exact + (means - exact) * sqrt(k / max(k - 1, 1)), [0.025, 0.975])
    return float(low), float(high)


def coverage(case: dict, simulations: int, seed: int) -> dict:
    generator = np.random.default_rng(seed)
    hits, widths = np.zeros(3), np.zeros(3)
    for repeat in range(simulations):
        student, baseline = experiment(generator, **case, difference=0.0)
        found = nested_difference(
            student, baseline, statistic=case["statistic"], seed=repeat, resamples=RESAMPLES
        )
        plain = plain_bootstrap(generator, student, baseline, case["statistic"])
        bounds = [(found.low, found.high), (found.images_low, found.images_high), plain]
        hits += [low <= 0 <= high for low, high in bounds]
        widths += [(high - low) / 2 for low, high in bounds]
    share = hits / simulations
    return {
        "simulations": simulations,
        "coverage": share[0],
        "coverage_error": sqrt(share[0] * (1 - share[0]) / simulations),
        "images_coverage": share[1],
        "bootstrap_coverage": share[2],
        "width": widths[0] / simulations,
        "images_width": widths[1] / simulations,
        "bootstrap_width": widths[2] / simulations,
    }


TESTS = ("p_permutation", "p_wilcoxon", "p_seeds", "p_nested", "verdict")


def found_different(tests: DifferenceTests, interval) -> list[bool]:
    """In the order of TESTS; NaN finds nothing."""
    return [getattr(tests, name) <= 0.05 for name in TESTS[:-1]] + [not interval.low <= 0 <= interval.high]


def rates(case: dict, simulations: int, seed: int) -> dict:
    """`simulations` with and without a difference; those without also make tables of TOGETHER comparisons."""
    generator = np.random.default_rng(seed)
    result, statistic = {"test_simulations": simulations}, case["statistic"]
    for name, difference in (("equal", 0.0), ("other", DIFFERENCE)):
        shares, p_values, detectable = np.zeros(len(TESTS)), [], 0.0
        for repeat in range(simulations):
            pair = experiment(generator, **case, difference=difference)
            settings = {"statistic": statistic, "seed": repeat, "resamples": RESAMPLES}
            tests = difference_tests(*pair, **settings)
            shares += found_different(tests, nested_difference(*pair, **settings))
            p_values.append(tests.p_permutation if isnan(tests.p_nested) else tests.p_nested)
            detectable += tests.detectable / simulations
        result |= {f"{name}_{test}": share for test, share in zip(TESTS, shares / simulations, strict=True)}
        if name == "equal":
            whole = simulations - simulations % TOGETHER
            tables = np.reshape(p_values[:whole], (-1, TOGETHER))
            result["equal_holm"] = float(np.mean([holm(row).min() <= 0.05 for row in tables]))
        result["detectable"] = detectable
    return result


def with_tests(case: dict) -> bool:
    return case["n"] == 40 and case["k"] in (1, 3, 5) and case["between"] in (0.0, 0.3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="stem of the table")
    parser.add_argument("--simulations", type=int, default=400, help="of the intervals, per row")
    parser.add_argument(
        "--test-simulations", type=int, default=150, help="of the tests, per row that has them"
    )
    options = parser.parse_args()
    rows, empty = [], {}
    for seed, (statistic, law, k, n, between) in enumerate(product(STATISTICS, LAWS, SEEDS, IMAGES, BETWEEN)):
        if statistic == "std" and between > MOST_BETWEEN_SPREADS:
            continue
        case = {"statistic": statistic, "law": law, "k": k, "n": n, "between": between}
        row = case | coverage(case, options.simulations, seed)
        if with_tests(case):
            row |= rates(case, options.test_simulations, 1000 + seed)
            empty = dict.fromkeys(row, "")
        rows.append(row)
    write_table(Path(f"{options.out}.csv"), [{name: row.get(name, "") for name in empty} for row in rows])


if __name__ == "__main__":
    main()

"""How often intervals over seeds hold the truth, and how often tests find a difference that is there, or is not.

    python -m analyses.inference_calibration --out analyses/results/inference_calibration

Simulated: k seeds of n images each. Both networks' values of an image share its own part (standard deviation 1) and
have an error each, such that their paired differences have standard deviation 1. `law`: normal, or skewed: the image's
part and the student's error are exponential. Every seed's true difference, of the means or of the standard deviations,
is normal about the true one with standard deviation `between`; in five metrics on Tiny ImageNet (three seeds, 40
images) it came to about 0.1-0.3 in this unit. `images`: other ones in every seed, or the same in all, which then share
80 % of the variance of their paired differences. `noise`: the standard deviation with which the student's estimate is
off by the same amount on all images of a seed; 100 redraws of it are given. `value`: the difference, or that of the
student alone (network).

Columns: coverage of the nested interval, of the interval over images alone and of the bootstrap used before
(percentiles of resampled images and seeds, widened by sqrt(k / (k - 1)); a seed drawn twice comes with the same images
twice, where a textbook's bootstrap draws them anew), each the share of `simulations` in which the 95 % interval held
the true value (that of new seeds, of which the interval over images does not speak where between > 0), coverage_error
the Monte Carlo standard error of the first; widths are mean half lengths.

Where tests were run (test_simulations): the share with p ≤ 0.05 where the true difference is 0 (equal_) and where it
is 0.4 (other_), empty where there is no p; for p_permutation and p_wilcoxon, whose claim is about these networks,
equal_ is an error rate only where between is 0. verdict: the nested interval leaves 0 out; detectable: its mean.
equal_holm: of holm_tables tables of five independent comparisons without difference, those in which any has Holm's
p_nested ≤ 0.05.
"""

import argparse
from math import nan, sqrt
from pathlib import Path

import numpy as np

from analyses.pool_seeds import write_table
from analyses.simulated_seeds import cases, experiment
from kdprobe.metrics import difference_tests, holm, nested_difference, nested_interval
from kdprobe.records import DifferenceTests, NestedInterval

DIFFERENCE = 0.4  #: where power is asked for
TOGETHER = 5  #: comparisons in a simulated table
RESAMPLES = 1000
TEST_RESAMPLES = 500


def interval(case: dict, simulated: tuple, seed: int) -> NestedInterval:
    student, baseline, noise, images = simulated
    settings = {"statistic": case["statistic"], "seed": seed, "images": images, "resamples": RESAMPLES}
    if case["value"] == "network":
        return nested_interval(student, noise=noise, **settings)
    return nested_difference(student, baseline, student_noise=noise, **settings)


def former_bootstrap(
    generator: np.random.Generator, student: list, baseline: list, statistic: str
) -> tuple[float, float]:
    """The 2.5 and 97.5 % quantiles of resampled seeds and images, widened about the mean by sqrt(k / (k - 1)).

    The images of a seed are drawn once in a resample, however often the seed is.
    """
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
    alone = case["value"] == "network"
    true = sqrt(1.5) if alone else 0.0  # of new seeds and images
    hits, widths = np.zeros(3), np.zeros(3)
    for repeat in range(simulations):
        simulated = experiment(generator, case)
        found = interval(case, simulated, repeat)
        bounds = [(found.low, found.high), (found.images_low, found.images_high)]
        if alone:
            bounds.append((nan, nan))
        else:
            bounds.append(former_bootstrap(generator, *simulated[:2], case["statistic"]))
        hits += [low <= true <= high for low, high in bounds]
        widths += [(high - low) / 2 for low, high in bounds]
    share, width = hits / simulations, widths / simulations
    return {
        "simulations": simulations,
        "coverage": share[0],
        "coverage_error": sqrt(share[0] * (1 - share[0]) / simulations),
        "images_coverage": share[1],
        "bootstrap_coverage": nan if alone else share[2],
        "width": width[0],
        "images_width": width[1],
        "bootstrap_width": width[2],
    }


TESTS = ("p_permutation", "p_wilcoxon", "p_seeds", "p_nested", "verdict")


def found_different(tests: DifferenceTests, interval: NestedInterval) -> list[float]:
    """In the order of TESTS; NaN where there is no p."""
    p_values = np.array([getattr(tests, name) for name in TESTS[:-1]])
    found = np.where(np.isnan(p_values), nan, p_values <= 0.05)
    return [*found.tolist(), not interval.low <= 0 <= interval.high]


def tested(case: dict, simulated: tuple, seed: int) -> DifferenceTests:
    student, baseline, noise, images = simulated
    settings = {"statistic": case["statistic"], "seed": seed, "images": images, "resamples": TEST_RESAMPLES}
    return difference_tests(student, baseline, student_noise=noise, **settings)


def rates(case: dict, simulations: int, seed: int) -> dict:
    """`simulations` with and without a difference."""
    generator = np.random.default_rng(seed)
    result = {"test_simulations": simulations}
    for name, difference in (("equal", 0.0), ("other", DIFFERENCE)):
        shares, detectable = np.zeros(len(TESTS)), 0.0
        for repeat in range(simulations):
            simulated = experiment(generator, case, difference)
            tests = tested(case, simulated, repeat)
            shares += found_different(tests, interval(case, simulated, repeat))
            detectable += tests.detectable / simulations
        result |= {f"{name}_{test}": share for test, share in zip(TESTS, shares / simulations, strict=True)}
        result[f"{name}_detectable"] = detectable
    return result


def table_rate(case: dict, tables: int, seed: int) -> dict:
    """`tables` of TOGETHER comparisons without a difference."""
    generator = np.random.default_rng(seed)
    p_values = [
        tested(case, experiment(generator, case), repeat).p_nested for repeat in range(tables * TOGETHER)
    ]
    wrong = [holm(row).min() <= 0.05 for row in np.reshape(p_values, (tables, TOGETHER))]
    return {"holm_tables": tables, "equal_holm": float(np.mean(wrong))}


def with_tests(case: dict) -> bool:
    if case["value"] == "network" or case["n"] != 40 or case["between"] not in (0.0, 0.3):
        return False
    if case["statistic"] == "std":
        return case["k"] == 3 and case["between"] == 0
    plain = case["noise"] == 0 and case["images"] == "other"
    return case["k"] in ((1, 3, 5) if plain else (3,))


def with_tables(case: dict) -> bool:
    """Three seeds that do not differ, means."""
    return with_tests(case) and (case["k"], case["between"], case["statistic"]) == (3, 0.0, "mean")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="stem of the table")
    parser.add_argument("--simulations", type=int, default=400, help="of the intervals, per row")
    parser.add_argument(
        "--test-simulations", type=int, default=400, help="of the tests, per row that has them"
    )
    parser.add_argument("--tables", type=int, default=400, help="that Holm corrects, per row that has them")
    options = parser.parse_args()
    rows, names = [], {}
    for seed, case in enumerate(cases()):
        row = case | coverage(case, options.simulations, seed)
        if with_tests(case):
            row |= rates(case, options.test_simulations, 1000 + seed)
        if with_tables(case):
            row |= table_rate(case, options.tables, 2000 + seed)
        names |= dict.fromkeys(row)
        rows.append({name: "" if value != value else value for name, value in row.items()})
    write_table(Path(f"{options.out}.csv"), [{name: row.get(name, "") for name in names} for row in rows])


if __name__ == "__main__":
    main()

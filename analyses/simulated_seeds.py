"""The experiments that `analyses.inference_calibration` simulates: their settings, and their values.

A setting's names are the columns of the table, which that script explains.
"""

from collections.abc import Iterator
from itertools import product
from math import sqrt

import numpy as np

SEEDS = (1, 2, 3, 5, 10)
BETWEEN = (0.0, 0.1, 0.3, 1.0)
MOST_BETWEEN_SPREADS = 0.3  #: more would make standard deviations negative
LAWS = ("normal", "skewed")
STATISTICS = ("mean", "std")
PLAIN = {"value": "difference", "statistic": "mean", "law": "normal", "images": "other", "noise": 0.0}
SHARED = 0.8  #: of the variance of an image's paired difference, where all seeds have the same images
REDRAWS = 100


def cases() -> Iterator[dict]:
    """The settings of the rows."""
    for statistic, law, (k, n) in product(STATISTICS, LAWS, [*((k, 40) for k in SEEDS), (3, 20)]):
        for between in BETWEEN:
            if statistic == "mean" or between <= MOST_BETWEEN_SPREADS:
                yield PLAIN | {"statistic": statistic, "law": law, "k": k, "n": n, "between": between}
    for k, n, between in product((2, 3, 5, 10), (10, 40), (0.0, 0.1, 0.3)):
        if k == 10 or n == 40:
            yield PLAIN | {"images": "same", "k": k, "n": n, "between": between}
    for k, between in product((1, 3, 5), (0.0, 0.3)):
        yield PLAIN | {"noise": 0.2, "k": k, "n": 40, "between": between}
    for law, k, n in product(LAWS, (1, 3, 10), (20, 40)):
        yield PLAIN | {
            "value": "network",
            "statistic": "std",
            "law": law,
            "k": k,
            "n": n,
            "between": 0.0,
        }


def experiment(
    generator: np.random.Generator, case: dict, difference: float = 0.0
) -> tuple[list, list, list | None, list | None]:
    """Student's and baseline's values, k times (n,), with this true difference of the statistic; the student's noise,
    k times (REDRAWS, n), and the images' names."""
    k, n, noise, same = case["k"], case["n"], case["noise"], case["images"] == "same"
    parts = [_parts(generator, n, case["law"]) for _ in range(k + same)]
    student, baseline, redraws = [], [], []
    for image, own, other in parts[:k]:
        if same:
            image, shared_own, shared_other = parts[k][0], parts[k][1], parts[k][2]
            own = sqrt(SHARED) * shared_own + sqrt(1 - SHARED) * own
            other = sqrt(SHARED) * shared_other + sqrt(1 - SHARED) * other
        own, other = image + own * sqrt(0.5), image + other * sqrt(0.5)
        true = difference + case["between"] * generator.normal()
        own = own + true if case["statistic"] == "mean" else own * (1 + true / sqrt(1.5))
        own = own + noise * generator.normal()
        student.append(own)
        baseline.append(other)
        redraws.append(own + noise * generator.normal(size=(REDRAWS, 1)) if noise else None)
    names = [[str(i) for i in range(n)]] * k if same else None
    return student, baseline, redraws if noise else None, names


def _parts(generator: np.random.Generator, n: int, law: str) -> tuple:
    """The images' part, the student's and the baseline's error, (n,) each, mean 0 and variance 1."""
    image, own, other = generator.normal(size=(3, n))
    if law == "skewed":
        image, own = generator.exponential(size=(2, n)) - 1
    return image, own, other

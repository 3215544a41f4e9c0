"""Made-up numbers of a sweep, with every verdict, holes, several students and one seed alone where asked."""

import numpy as np
from report.summaries import HIGHER, NAN

from kdprobe.records import Interval, PooledComparison
from kdprobe.report import NetworkValue
from kdprobe.report.forms import csv_bytes
from kdprobe.report.sweep_files import NETWORK_COLUMNS

SCALE = (16.0, 11.0, 0.6, 0.6, 0.2, 0.04, 0.7)


def comparison(place, student, metric, rng, seeds=3):
    """One row; how sure it is varies."""
    scale = SCALE[list(HIGHER).index(metric)]
    n = int(40 * seeds - rng.integers(4))
    base, difference = scale * (1 + 0.1 * rng.normal()), scale * 0.1 * rng.normal()
    half = scale * 0.08
    low, high = difference - half, difference + 1.1 * half
    good, bad = (low > 0, high < 0) if HIGHER[metric] else (high < 0, low > 0)
    p = float(rng.uniform(0, 0.3)) ** 3
    return PooledComparison(
        *place,
        student,
        "baseline",
        metric,
        student_value=Interval(base + difference, base + difference - half, base + difference + half, n),
        baseline_value=Interval(base, base - half, base + half, n),
        difference=Interval(difference, low, high, n),
        images=Interval(difference, difference - half / 3, difference + half / 3, n),
        seeds=seeds,
        n=n,
        p_permutation=p,
        p_wilcoxon=p * 1.1,
        p_nested=NAN if seeds == 1 else p * 1.2,
        p_holm=min(1.0, 20 * p),
        effect=difference / scale,
        detectable=1.4 * half,
        verdict="supported" if good else "contradicted" if bad else "undecided",
    )


def hole(place, student, metric):
    """A row of which nothing could be had."""
    nothing = Interval(NAN, NAN, NAN, 0)
    names = (*place, student, "baseline", metric)
    return PooledComparison(*names, *[nothing] * 4, 0, 0, *[NAN] * 6, "undecided")


PLACES = (
    ("tiny_imagenet", "vgg_small", "conv"),
    ("tiny_imagenet", "vgg_small", "fc1"),
    ("tiny_imagenet", "resnet8", "fc1"),
    ("leeds_butterfly", "vgg_small", "fc1"),
)


def comparisons(seeds=3, places=PLACES, students=("student-feature", "student-kd"), seed=0):
    rng = np.random.default_rng(seed)
    rows = [comparison(p, s, m, rng, seeds) for p in places for s in students for m in HIGHER]
    rows[3] = hole(*[places[0], students[0], list(HIGHER)[3]])
    return rows


def networks(seeds=(0, 1, 2), places=PLACES, seed=0):
    rng = np.random.default_rng(seed)
    roles = {"baseline": "baseline", "teacher": "teacher", "student-feature": "student"}
    rows = []
    for place in places:
        for number in seeds:
            for name, role in roles.items():
                accuracy = float(rng.uniform())
                for scale, metric in zip(SCALE, HIGHER, strict=True):
                    value = scale * float(rng.uniform(0.8, 1.2))
                    interval = Interval(value, 0.9 * value, 1.2 * value, int(rng.integers(36, 41)))
                    rows.append(NetworkValue(*place, name, role, number, accuracy, metric, interval))
    return rows


def networks_csv(rows) -> bytes:
    """The file networks.csv of these records."""
    fields = (
        [getattr(row, name) for name in NETWORK_COLUMNS[:-4]]
        + [row.value.value, row.value.low, row.value.high, row.value.n]
        for row in rows
    )
    return csv_bytes(NETWORK_COLUMNS, fields)

"""Sweeps for the overview: several students and seeds, with holes, ties and curves of different lengths."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from report.summaries import HIGHER, NAN
from report.sweeps import PLACES, SCALE, comparisons

from kdprobe.records import Interval
from kdprobe.report import NetworkValue, write_overview
from kdprobe.report.sweep_curves import CurveValue

ROLES = {"teacher": "teacher", "baseline": "baseline", "student-feature": "student", "student-kd": "student"}
LAST = {"baseline": 5, "student-feature": 3, "student-kd": 2}
CURVES = ("n_foreground", "n_background", "relevance_ratio")


def networks(seeds=(0, 1, 2), places=PLACES) -> list[NetworkValue]:
    """Accuracies that tie, one that was not taken, and teachers without D and rho."""
    rng, rows = np.random.default_rng(5), []
    for place in places:
        for seed in seeds:
            for name, role in ROLES.items():
                accuracy = float(rng.integers(40, 46)) / 64
                for scale, metric in zip(SCALE, HIGHER, strict=True):
                    value = scale * float(rng.uniform(0.6, 1.3))
                    found = Interval(value, 0.9 * value, 1.2 * value, int(rng.integers(36, 41)))
                    if role == "teacher" and (metric.startswith("learning") or metric == "stability"):
                        found = Interval(NAN, NAN, NAN, 0)
                    rows.append(NetworkValue(*place, name, role, seed, accuracy, metric, found))
    first = rows[0]
    return [
        replace(row, accuracy=NAN) if row.network == "baseline" and row.seed == first.seed else row
        for row in rows
    ]


def curves(values: list[NetworkValue]) -> list[CurveValue]:
    """Up to the network's value at its last epoch; of a teacher that epoch alone. One relevance ratio is missing."""
    rng, rows = np.random.default_rng(6), []
    for value in values:
        if value.metric not in CURVES:
            continue
        key = (value.data, value.model, value.layer, value.network, value.role, value.seed)
        last = LAST.get(value.network, 0)
        for epoch in range(last + 1):
            share = (epoch + 1) / (last + 1)
            y = value.value.value * share * (1 if epoch == last else float(rng.uniform(0.9, 1.1)))
            found = Interval(y, 0.9 * y, 1.2 * y, value.value.n)
            if (value.metric, epoch, value.seed, value.role) == ("relevance_ratio", 0, 0, "baseline"):
                found = Interval(NAN, NAN, NAN, 0)
            rows.append(CurveValue(*key, epoch, NAN, value.metric, found))
    return rows


def page(folder: Path, seeds=(0, 1, 2), places=PLACES) -> Path:
    """The page of such a sweep."""
    values = networks(seeds, places)
    return write_overview(values, comparisons(len(seeds), places), curves(values), folder, "Counted so.")

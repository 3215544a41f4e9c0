"""Student against baseline over the seeds of a sweep: differences, intervals, tests and verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan

import torch
from torch import Tensor

from kdprobe.analysis.unit import Unit
from kdprobe.analysis.values import EPOCH_METRICS, CountSettings, NetworkValues
from kdprobe.metrics import (
    CLAIMS,
    METRICS,
    difference_tests,
    holm,
    nested_difference,
    nested_interval,
    verdict,
)
from kdprobe.records import Interval, NestedInterval, PooledComparison


@dataclass(frozen=True, eq=False)
class _Pair:
    """Student and baseline of one seed."""

    student: NetworkValues
    baseline: NetworkValues
    images: tuple[str, ...]


def pooled_comparisons(units: Iterable[Unit]) -> list[PooledComparison]:
    """Every student against its baseline in every metric, over all seeds of a data set, network and layer.

    D and rho are compared in the seeds in which the same epochs of both are kept. p_holm corrects p_nested (with one
    seed: p_permutation) for all comparisons of the list in one of CLAIMS; the verdict is that of the nested interval
    alone. Units are taken one at a time, and nothing of their maps is kept.
    """
    return pooled_values((unit, {name: unit.values(name) for name in _compared(unit)}) for unit in units)


def pooled_values(units: Iterable[tuple[Unit, Mapping[str, NetworkValues]]]) -> list[PooledComparison]:
    """The same from the values, by name, that were taken of the units' students and baselines before."""
    pairs: dict[tuple[str, str, str], dict[str, list[_Pair]]] = {}
    settings: dict[tuple[str, str, str], CountSettings] = {}
    for unit, values in units:
        settings.setdefault(unit.key, unit.settings)
        for name in _compared(unit):
            if name != "baseline":
                of_student = pairs.setdefault(unit.key, {}).setdefault(name, [])
                of_student.append(_Pair(values[name], values["baseline"], unit.ids))
    found = [
        comparison
        for key, students in pairs.items()
        for name, seeds in students.items()
        for comparison in _comparisons(key, name, seeds, settings[key])
    ]
    corrected = zip(found, holm([_p_claim(each) for each in found]), strict=True)
    return [each if isnan(p) else replace(each, p_holm=float(p)) for each, p in corrected]


def _p_claim(comparison: PooledComparison) -> float:
    if comparison.metric not in CLAIMS:
        return nan
    return comparison.p_permutation if isnan(comparison.p_nested) else comparison.p_nested


def _compared(unit: Unit) -> list[str]:
    """The baseline and the students; nothing where either is missing."""
    students = [name for name, network in unit.networks.items() if network.role == "student"]
    return ["baseline", *students] if "baseline" in unit.networks and students else []


def _comparisons(
    key: tuple[str, str, str], student: str, pairs: Sequence[_Pair], settings: CountSettings
) -> Iterable[PooledComparison]:
    for name, metric in METRICS.items():
        same = [
            pair for pair in pairs if name not in EPOCH_METRICS or pair.student.epochs == pair.baseline.epochs
        ]
        if not same:
            continue
        values = [_in_both(pair, name) for pair in same]
        noises = [[getattr(pair, role).noise[name] for pair in same] for role in ("student", "baseline")]
        options = {
            "statistic": metric.statistic,
            "seed": settings.seed,
            "images": [pair.images for pair in same],
            "resamples": settings.resamples,
        }
        columns = list(zip(*values, strict=True))
        both = dict(zip(("student_noise", "baseline_noise"), noises, strict=True))
        difference = nested_difference(*columns, **both, **options)
        tests = difference_tests(*columns, **both, **options)
        own = [
            nested_interval(column, noise=noise, limits=metric.range, **options)
            for column, noise in zip(columns, noises, strict=True)
        ]
        yield PooledComparison(
            *key,
            student=student,
            baseline="baseline",
            metric=name,
            student_value=_plain(own[0]),
            baseline_value=_plain(own[1]),
            difference=_plain(difference),
            images=replace(_plain(difference), low=difference.images_low, high=difference.images_high),
            seeds=difference.seeds,
            n=difference.n,
            p_permutation=tests.p_permutation,
            p_wilcoxon=tests.p_wilcoxon,
            p_nested=tests.p_nested,
            p_holm=nan,
            effect=tests.effect,
            detectable=tests.detectable,
            verdict=verdict(difference, metric.higher_is_better),
        )


def _in_both(pair: _Pair, metric: str) -> tuple[Tensor, Tensor]:
    """Student's and baseline's values, NaN where either has none."""
    both = [pair.student.values[metric], pair.baseline.values[metric]]
    lacking = both[0].isnan() | both[1].isnan()
    return tuple(torch.where(lacking, torch.nan, each) for each in both)


def _plain(interval: NestedInterval) -> Interval:
    return Interval(interval.value, interval.low, interval.high, interval.n)

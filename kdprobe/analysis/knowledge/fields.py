"""The fields that rows of several tables share."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from torch import Tensor

from kdprobe.analysis.knowledge.counted import CountedUnit
from kdprobe.metrics import METRICS, nested_interval
from kdprobe.records import Interval

Row = dict[str, Any]
KEY = ("data", "model", "layer")


def number(value: Any) -> float | None:
    """`value` as a number, or None where there is none (None, NaN, infinity): an empty field."""
    return None if value is None or not isfinite(value) else float(value)


def mean(values: Tensor) -> float | None:
    """Mean of those that are not NaN; None without any."""
    return number(values.double().nanmean())


def key_fields(units: Sequence[CountedUnit]) -> Row:
    """Data set, architecture and layer of units that share them."""
    return dict(zip(KEY, units[0].unit.key, strict=True))


def network_fields(counted: CountedUnit, name: str) -> Row:
    """Which network of which unit a row is about."""
    role = counted.networks[name].network.role
    return {**key_fields([counted]), "network": name, "role": role, "seed": counted.unit.seed}


def interval_fields(interval: Any) -> Row:
    """value, low, high and n of an `Interval` (or a record that has these)."""
    return {
        "value": number(interval.value),
        "low": number(interval.low),
        "high": number(interval.high),
        "n": interval.n,
    }


def pooled(
    units: Sequence[CountedUnit],
    values: Sequence[Tensor],
    noise: Sequence[Tensor],
    ids: Sequence[Sequence[str]],
    metric: str,
) -> tuple[Interval, int]:
    """(mean over seeds of the metric's statistic with its interval over images nested in seeds, number of seeds).

    values: (N_s,) of every unit, noise: (R, N_s), ids: N_s names of the images; a seed without any value does not
    count.
    """
    settings, facts = units[0].unit.settings, METRICS[metric]
    found = nested_interval(
        values,
        statistic=facts.statistic,
        seed=settings.seed,
        noise=noise,
        images=ids,
        limits=facts.range,
        resamples=settings.resamples,
    )
    return Interval(found.value, found.low, found.high, found.n), found.seeds

"""The curves of a sweep on disk: its curves.csv, read with care."""

from dataclasses import dataclass, fields
from math import nan
from pathlib import Path

from kdprobe.metrics import METRICS
from kdprobe.records import Interval
from kdprobe.report.csv_records import as_choice, as_count, as_interval, as_number, as_share, read_records
from kdprobe.report.sweep_files import SweepNetwork, which_network

ACCURACY = "accuracy"


@dataclass(frozen=True)
class CurveValue(SweepNetwork):
    """One metric of one network of a sweep after one epoch: one line of its curves.csv."""

    epoch: int  #: from the start of the analysed stage, 0 ... M
    path: float  #: way of the weights until then, in norms of the initial ones; NaN where it is not known
    metric: str  #: a name of METRICS, or "accuracy"
    value: Interval  #: over the images of this seed; an accuracy (0 ... 1) has no interval, and n = 0


CURVE_KEY = ("data", "model", "layer", "network", "seed", "epoch", "metric")
CURVE_COLUMNS = (*(field.name for field in fields(CurveValue)), "low", "high", "n")


def read_curves(path: str | Path) -> list[CurveValue]:
    """The records of a curves.csv, in its order; DataError as `read_networks`."""
    return read_records(Path(path), CURVE_COLUMNS, CURVE_KEY, _curve)


def _curve(row: dict[str, str]) -> CurveValue:
    metric = as_choice(row["metric"], (*METRICS, ACCURACY))
    if metric == ACCURACY:
        value = Interval(as_share(row["value"]), nan, nan, 0)
    else:
        value = as_interval(row, "value", "low", "high", as_count(row["n"]))
    return CurveValue(
        **which_network(row),
        epoch=as_count(row["epoch"]),
        path=as_number(row["path"]),
        metric=metric,
        value=value,
    )

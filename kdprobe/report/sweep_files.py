"""The numbers of a sweep on disk: comparisons.csv and networks.csv, written exactly and read with care."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import isinf
from pathlib import Path
from typing import Any

from kdprobe.errors import InputError
from kdprobe.metrics import METRICS
from kdprobe.metrics.inference import VERDICTS
from kdprobe.records import Interval, PooledComparison, Record
from kdprobe.report.csv_records import as_choice, as_count, as_interval, as_number, as_share, read_records
from kdprobe.report.forms import csv_bytes

#: Columns of one comparison whose values are numbers of their own, by the field's name.
NUMBERS = ("p_permutation", "p_wilcoxon", "p_nested", "p_holm", "effect", "detectable")
PAIR = ("data", "model", "layer", "student", "baseline")
COMPARISON_KEY = (*PAIR, "metric")
COMPARISON_COLUMNS = (
    *COMPARISON_KEY,
    *("seeds", "n", "student_value", "student_low", "student_high"),
    *("baseline_value", "baseline_low", "baseline_high"),
    *("difference", "low", "high", "images_low", "images_high", *NUMBERS, "verdict"),
)
ROLES = ("teacher", "student", "baseline")


@dataclass(frozen=True)
class SweepNetwork(Record):
    """Which network of a sweep a line is about."""

    data: str
    model: str
    layer: str
    network: str
    role: str  #: teacher, student or baseline
    seed: int


@dataclass(frozen=True)
class NetworkValue(SweepNetwork):
    """One metric of one network of a sweep: one line of its networks.csv."""

    accuracy: float  #: on the test split after the last stage, 0 ... 1; NaN if it was not taken
    metric: str
    value: Interval  #: over the images of this seed


NETWORK_KEY = ("data", "model", "layer", "network", "seed", "metric")
NETWORK_COLUMNS = (*(field.name for field in fields(NetworkValue)), "low", "high", "n")


def comparisons_csv(rows: Iterable[PooledComparison]) -> bytes:
    """The file comparisons.csv; `read_comparisons` gives the same records back, to the last bit.

    The file has one n for each line, and one difference: InputError if a record's intervals hold others.
    """
    return csv_bytes(COMPARISON_COLUMNS, map(_comparison_fields, rows))


def _comparison_fields(row: PooledComparison) -> list[Any]:
    intervals = (row.student_value, row.baseline_value, row.difference, row.images)
    name = " ".join(str(getattr(row, key)) for key in COMPARISON_KEY)
    if {found.n for found in intervals} != {row.n}:
        counts = [found.n for found in intervals]
        raise InputError(
            f"The intervals of {name} have n = {counts}, the comparison n = {row.n}: give all the same images."
        )
    if repr(float(row.images.value)) != repr(float(row.difference.value)):
        raise InputError(
            f"Both intervals of {name} must be of one difference; got {row.difference.value} and "
            f"{row.images.value}."
        )
    numbers = [end for found in intervals[:3] for end in (found.value, found.low, found.high)]
    numbers += [row.images.low, row.images.high, *(getattr(row, key) for key in NUMBERS)]
    key = [getattr(row, key) for key in COMPARISON_KEY]
    return [*key, row.seeds, row.n, *map(_written, numbers), row.verdict]


def _written(number: float) -> float | str:
    return repr(float(number)) if isinf(number) else number  # an effect without spread is infinite


def read_comparisons(path: str | Path) -> list[PooledComparison]:
    """The records of a comparisons.csv, in its order.

    DataError, naming the path and the line, if the file is missing, torn or holds what cannot be: other columns, a
    metric or verdict that does not exist, a number that is none, an interval with its ends swapped, a line twice.
    """
    return read_records(Path(path), COMPARISON_COLUMNS, COMPARISON_KEY, _comparison)


def _comparison(row: dict[str, str]) -> PooledComparison:
    n = as_count(row["n"])
    student, baseline = (
        as_interval(row, f"{name}_value", f"{name}_low", f"{name}_high", n)
        for name in ("student", "baseline")
    )
    return PooledComparison(
        *(row[key] for key in COMPARISON_KEY[:-1]),
        metric=as_choice(row["metric"], tuple(METRICS)),
        student_value=student,
        baseline_value=baseline,
        difference=as_interval(row, "difference", "low", "high", n),
        images=as_interval(row, "difference", "images_low", "images_high", n),
        seeds=as_count(row["seeds"]),
        n=n,
        **{name: as_share(row[name]) for name in NUMBERS if name.startswith("p_")},
        effect=as_number(row["effect"]),
        detectable=as_number(row["detectable"]),
        verdict=as_choice(row["verdict"], VERDICTS),
    )


def read_networks(path: str | Path) -> list[NetworkValue]:
    """The records of a networks.csv, in its order; DataError as `read_comparisons`."""
    return read_records(Path(path), NETWORK_COLUMNS, NETWORK_KEY, _network)


def which_network(row: dict[str, str]) -> dict[str, Any]:
    """The fields of a `SweepNetwork`."""
    names = {name: row[name] for name in ("data", "model", "layer", "network")}
    return names | {"role": as_choice(row["role"], ROLES), "seed": int(row["seed"])}


def _network(row: dict[str, str]) -> NetworkValue:
    return NetworkValue(
        **which_network(row),
        accuracy=as_share(row["accuracy"]),
        metric=as_choice(row["metric"], tuple(METRICS)),
        value=as_interval(row, "value", "low", "high", as_count(row["n"])),
    )

"""The numbers of a sweep on disk: comparisons.csv and networks.csv, written exactly and read with care."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from math import isinf, isnan, nan
from pathlib import Path
from typing import Any, TypeVar

from kdprobe.errors import DataError, InputError
from kdprobe.metrics import METRICS
from kdprobe.metrics.inference import VERDICTS
from kdprobe.records import Interval, PooledComparison, Record
from kdprobe.report.forms import csv_bytes, csv_rows

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
Row = TypeVar("Row")


@dataclass(frozen=True)
class NetworkValue(Record):
    """One metric of one network of a sweep: one line of its networks.csv."""

    data: str
    model: str
    layer: str
    network: str
    role: str  #: teacher, student or baseline
    seed: int
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
    return _read(Path(path), COMPARISON_COLUMNS, COMPARISON_KEY, _comparison)


def _comparison(row: dict[str, str]) -> PooledComparison:
    n = _count(row["n"])
    student, baseline = (
        _interval(row, f"{name}_value", f"{name}_low", f"{name}_high", n) for name in ("student", "baseline")
    )
    return PooledComparison(
        *(row[key] for key in COMPARISON_KEY[:-1]),
        metric=_choice(row["metric"], tuple(METRICS)),
        student_value=student,
        baseline_value=baseline,
        difference=_interval(row, "difference", "low", "high", n),
        images=_interval(row, "difference", "images_low", "images_high", n),
        seeds=_count(row["seeds"]),
        n=n,
        **{name: _share(row[name]) for name in NUMBERS if name.startswith("p_")},
        effect=_number(row["effect"]),
        detectable=_number(row["detectable"]),
        verdict=_choice(row["verdict"], VERDICTS),
    )


def read_networks(path: str | Path) -> list[NetworkValue]:
    """The records of a networks.csv, in its order; DataError as `read_comparisons`."""
    return _read(Path(path), NETWORK_COLUMNS, NETWORK_KEY, _network)


def _network(row: dict[str, str]) -> NetworkValue:
    return NetworkValue(
        *(row[name] for name in ("data", "model", "layer", "network")),
        role=_choice(row["role"], ROLES),
        seed=int(row["seed"]),
        accuracy=_share(row["accuracy"]),
        metric=_choice(row["metric"], tuple(METRICS)),
        value=_interval(row, "value", "low", "high", _count(row["n"])),
    )


def _read(
    path: Path, columns: Sequence[str], key: Sequence[str], record: Callable[[dict[str, str]], Row]
) -> list[Row]:
    found = {}
    for line, row in csv_rows(path, columns, alone=True):
        try:
            if (name := tuple(row[part] for part in key)) in found:
                raise ValueError(f"{' '.join(name)} is there twice")
            found[name] = record(row)
        except ValueError as error:
            raise DataError(
                f"{path}, line {line}, does not hold what kdprobe writes there ({error}): write it again"
            ) from error
    return list(found.values())


def _number(text: str) -> float:
    if text == "":
        return nan
    number = float(text)
    if isnan(number):
        raise ValueError(f"{text!r} in place of a number")
    return number


def _share(text: str) -> float:
    number = _number(text)
    if number < 0 or number > 1:
        raise ValueError(f"{number} in place of a number in 0 ... 1")
    return number


def _count(text: str) -> int:
    if (count := int(text)) < 0:
        raise ValueError(f"{count} in place of a count")
    return count


def _interval(row: dict[str, str], value: str, low: str, high: str, n: int) -> Interval:
    numbers = [_number(row[name]) for name in (value, low, high)]
    if numbers[1] > numbers[2]:
        raise ValueError(f"{low} {numbers[1]} above {high} {numbers[2]}")
    return Interval(*numbers, n)


def _choice(text: str, allowed: Sequence[str]) -> str:
    if text not in allowed:
        raise ValueError(f"{text!r}; there are: {', '.join(allowed)}")
    return text

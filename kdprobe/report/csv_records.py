"""CSV files of kdprobe's own, read with care: every field is what it should be, or the file is refused by name."""

from collections.abc import Callable, Sequence
from math import isnan, nan
from pathlib import Path
from typing import TypeVar

from kdprobe.errors import DataError
from kdprobe.records import Interval
from kdprobe.report.forms import csv_rows

Row = TypeVar("Row")


def read_records(
    path: Path, columns: Sequence[str], key: Sequence[str], record: Callable[[dict[str, str]], Row]
) -> list[Row]:
    """What `record` makes of each line of the CSV file at `path`, in its order.

    DataError, naming path and line, if the file is missing or torn, has other columns, has a line twice (by the fields
    of `key`), or `record` raises a ValueError.
    """
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


def as_number(text: str) -> float:
    """A number; NaN for an empty field, ValueError for a NaN that was written out."""
    if text == "":
        return nan
    number = float(text)
    if isnan(number):
        raise ValueError(f"{text!r} in place of a number")
    return number


def as_share(text: str) -> float:
    """A number in 0 ... 1, or NaN for an empty field."""
    number = as_number(text)
    if number < 0 or number > 1:
        raise ValueError(f"{number} in place of a number in 0 ... 1")
    return number


def as_count(text: str) -> int:
    """A whole number, 0 or more."""
    if (count := int(text)) < 0:
        raise ValueError(f"{count} in place of a count")
    return count


def as_interval(row: dict[str, str], value: str, low: str, high: str, n: int) -> Interval:
    """The interval in three fields of `row`, by their names, over `n` images; its ends must be in order."""
    numbers = [as_number(row[name]) for name in (value, low, high)]
    if numbers[1] > numbers[2]:
        raise ValueError(f"{low} {numbers[1]} above {high} {numbers[2]}")
    return Interval(*numbers, n)


def as_choice(text: str, allowed: Sequence[str]) -> str:
    """`text`, if it is one of `allowed`."""
    if text not in allowed:
        raise ValueError(f"{text!r}; there are: {', '.join(allowed)}")
    return text

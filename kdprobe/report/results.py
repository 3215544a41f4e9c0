"""Tables and concept maps of a results folder, setting by setting: what the scripts in figures/ draw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite, isnan, nan
from operator import itemgetter
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from kdprobe.errors import DataError, InputError
from kdprobe.plots import SeedLine
from kdprobe.records import ConceptMaps, Interval
from kdprobe.report.cells import grouped
from kdprobe.report.forms import csv_rows
from kdprobe.report.map_file import read_maps

SETTING = ("data", "model", "layer")
#: Columns of the tables whose entries are words; those of all others are numbers.
WORDS = frozenset(
    {
        *(*SETTING, "network", "role", "seed", "student", "metric"),
        *("cells", "image", "class", "choice", "setting", "verdict", "is_default"),
    }
)
#: Columns without whose entry a row says nothing.
FILLED = frozenset({"epoch", "margin", "low_edge", "high_edge", "count", "seeds"})
Row = dict[str, Any]  #: column -> text, or float (NaN where the entry is empty)


def read_table(path: str | Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a CSV table, of the columns that are asked for; numbers as float, empty ones as NaN.

    DataError, naming the path, if the file has no rows, holds a number that is none or lacks one of FILLED, and as
    `csv_rows`.
    """
    path = Path(path)
    rows = [
        {name: _entry(path, line, name, text) for name, text in row.items()}
        for line, row in csv_rows(path, tuple(columns))
    ]
    if not rows:
        raise DataError(f"{path} holds no rows: write it anew.")
    return rows


def _entry(path: Path, line: int, name: str, text: str) -> Any:
    if name in WORDS:
        return text
    if not text:
        if name in FILLED:
            raise DataError(f"{path}, line {line}: {name} is empty: write it anew.")
        return nan
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise DataError(f"{path}, line {line}: {name} is {text!r}, not a number: write it anew.")
    return number


def settings_of(
    rows: Sequence[Row], keys: Sequence[str], wanted: Mapping[str, str | None]
) -> list[tuple[str, ...]]:
    """The settings (values of `keys`) in the order of the rows, only those that agree with what is wanted.

    wanted: key -> value, None for any. InputError, saying what there is, if none is left.
    """
    found = list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))
    for place, key in enumerate(keys):
        if (value := wanted.get(key)) is None:
            continue
        there = dict.fromkeys(setting[place] for setting in found)
        found = [setting for setting in found if setting[place] == value]
        if not found:
            raise InputError(f"there is no {key} {value!r} to draw; there are: {', '.join(there)}.")
    return found


def rows_of(rows: Iterable[Row], keys: Sequence[str], setting: Sequence[str]) -> list[Row]:
    """The rows of one setting; a key that the rows do not have is not asked for."""
    wanted = dict(zip(keys, setting, strict=True))
    return [row for row in rows if all(row.get(key, value) == value for key, value in wanted.items())]


def groups_of(rows: Iterable[Row], keys: Sequence[str]) -> dict[tuple[str, ...], list[Row]]:
    """The rows by their values of two or more `keys`, in the order in which these first appear."""
    return grouped(rows, itemgetter(*keys))


def interval_of(row: Row, value: str, low: str, high: str) -> Interval:
    """The interval in these columns of a row, over its n images. DataError for a value without n."""
    if isnan(row["n"]) and not isnan(row[value]):
        raise DataError(f"{value} is {row[value]:g} beside an empty n: write the table anew.")
    return Interval(row[value], row[low], row[high], 0 if isnan(row["n"]) else int(row["n"]))


def seed_lines_of(rows: Iterable[Row], x: str, y: str) -> list[SeedLine]:
    """One line for each network and seed, in the order of the epochs; with intervals and n where the rows have them."""
    lines = []
    for key, own in groups_of(rows, ("network", "role", "seed")).items():
        own.sort(key=lambda row: row["epoch"])
        columns = {name: [row[name] for row in own] for name in own[0]}
        if len(set(columns["epoch"])) < len(own):
            raise DataError(f"network {key[0]!r}, seed {key[2]}, has an epoch twice: write the table anew.")
        ends = [columns.get(end) for end in ("low", "high")]
        lines.append(SeedLine(*key, columns["epoch"], columns[x], columns[y], *ends, columns.get("n", ())))
    return lines


def read_map_file(path: str | Path) -> tuple[ConceptMaps, ...]:
    """The concept maps of one .npz file; DataError, naming the path, if it is missing, damaged or without maps."""
    try:
        maps = read_maps(Path(path))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: give a file with concept maps.") from error
    except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(f"{path} holds no concept maps that can be read ({error}): write it anew.") from error
    if not maps:
        raise DataError(f"{path} holds no concept maps: write it anew.")
    return maps


def maps_of_networks(maps: ConceptMaps, names: Sequence[str] | None) -> ConceptMaps:
    """Only the maps of the named networks, in this order; None for all. InputError for a name without maps."""
    if names is None:
        return maps
    unknown = [name for name in names if name not in maps.entropy]
    if unknown:
        raise InputError(f"no maps of {unknown[0]!r}; there are maps of: {', '.join(maps.entropy)}")
    return replace(
        maps,
        entropy={name: maps.entropy[name] for name in names},
        concepts={name: maps.concepts[name] for name in names},
    )

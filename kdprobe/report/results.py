"""Tables and concept maps of a results folder, setting by setting: what the scripts in figures/ draw."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from kdprobe.errors import DataError, InputError
from kdprobe.plots import SeedLine
from kdprobe.records import ConceptMaps
from kdprobe.report.comparison import read_maps

SETTING = ("data", "model", "layer")
#: Columns of the tables whose entries are words; those of all others are numbers.
WORDS = frozenset(
    {
        *(*SETTING, "network", "role", "seed", "student", "metric"),
        *("cells", "image", "class", "choice", "setting", "verdict", "is_default"),
    }
)
Row = dict[str, Any]  #: column -> text, or float (NaN where the entry is empty)


def read_table(path: str | Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a CSV table, of the columns that are asked for; numbers as float, empty ones as NaN.

    DataError, naming the path, if the file is missing, has no rows, lacks a column or holds a number that is none.
    """
    path, columns = Path(path), tuple(columns)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            lacking = [name for name in columns if name not in (reader.fieldnames or ())]
            if lacking:
                raise DataError(
                    f"{path} has no column {lacking[0]!r}, only {', '.join(reader.fieldnames or ['none'])}: "
                    "write it anew with the script in analyses/ that makes it."
                )
            rows = [
                {name: _entry(path, reader.line_num, name, row[name]) for name in columns} for row in reader
            ]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: give a folder with the tables of a sweep.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}): write it anew.") from error
    if not rows:
        raise DataError(f"{path} holds no rows: write it anew with the script in analyses/ that makes it.")
    return rows


def _entry(path: Path, line: int, name: str, text: str | None) -> Any:
    if text is None:
        raise DataError(f"{path}, line {line}, has too few fields: write it anew.")
    if name in WORDS:
        return text
    try:
        return float(text) if text else nan
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {name} is {text!r}, not a number: write it anew.") from error


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


def seed_lines_of(rows: Iterable[Row], x: str, y: str) -> list[SeedLine]:
    """One line for each network and seed, in the order of the epochs; with intervals and n where the rows have them."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["network"], row["role"], row["seed"]), []).append(row)
    lines = []
    for key, own in groups.items():
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

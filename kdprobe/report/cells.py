"""A table as data: what stands in its cells, which columns group its rows. How it is written is not known here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from statistics import median_high
from typing import Any, TypeVar

from kdprobe.plots import decimals, number
from kdprobe.records import Interval

STAR = "*"  #: marks what is significant
Row = TypeVar("Row")
PLACE = ("data", "model", "layer")  #: fields that say where something was measured


@dataclass(frozen=True)
class Cell:
    """What people read in one cell, and the exact fields that programs read."""

    text: str = ""
    interval: str = ""  #: set smaller, beside or below the text
    bold: bool = False
    mark: str = ""  #: raised, after the text
    metric: str = (
        ""  #: name in METRICS: its symbol and the arrow of its better side stand in place of the text
    )
    badge: bool = False  #: the text is a verdict
    fields: tuple[Any, ...] = ()  #: one for each of the column's names


@dataclass(frozen=True)
class Column:
    """One column for people, one or more columns of a CSV file."""

    head: Cell
    names: tuple[str, ...] = ()  #: of the fields of its cells
    kind: str = ""  #: section (a heading of its own across the table), key (written once for rows that share it), or ""
    align: str = "l"  #: l, c or r


@dataclass(frozen=True)
class Table:
    """Columns, of which sections come first, then keys; rows with a cell for each; a caption."""

    title: str  #: a few words
    label: str  #: by which a text refers to it
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    long: bool = False  #: may run over pages: one line for each row

    @property
    def sections(self) -> int:
        """Number of columns that head a section."""
        return sum(column.kind == "section" for column in self.columns)

    @property
    def keys(self) -> int:
        """Number of columns by which rows belong together: sections and keys."""
        return sum(column.kind != "" for column in self.columns)

    def groups(self) -> Iterator[tuple[str, list[tuple[Cell, ...]]]]:
        """Runs of rows that share section and keys: ("" or the heading that begins there, the rows)."""
        heading = None
        for _, found in groupby(self.rows, key=lambda row: [cell.text for cell in row[: self.keys]]):
            rows = list(found)
            section = " · ".join(cell.text for cell in rows[0][: self.sections])
            yield "" if section == heading else section, rows
            heading = section


def text_cell(value: Any) -> Cell:
    """A cell of a name or a count: what people read is what programs read."""
    return Cell(str(value), fields=(value,))


def text_column(name: str, kind: str = "", align: str = "l", head: str = "") -> Column:
    """A column of such cells."""
    return Column(Cell(head or name), (name,), kind, align)


def place_columns() -> tuple[Column, ...]:
    """The columns of PLACE: a section for each data set, in it networks and layers."""
    return tuple(text_column(name, kind) for name, kind in zip(PLACE, ("section", "key", "key"), strict=True))


def order_of(records: Sequence[Any], names: Sequence[str]) -> Callable[[Any], tuple[int, ...]]:
    """What to sort records by: these fields one after the other, each in the order in which its values first appear."""
    orders = [
        {value: k for k, value in enumerate(dict.fromkeys(getattr(r, name) for r in records))}
        for name in names
    ]
    return lambda record: tuple(
        order[getattr(record, name)] for order, name in zip(orders, names, strict=True)
    )


def grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Rows by their `key`, in the order in which the keys first appear."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def number_texts(
    value: float, low: float, high: float, *, places: int | None = None, signed: bool = False
) -> tuple[str, str]:
    """A number and its interval as people read them; an interval that could not be had is left out.

    places: decimals (default: as many as the interval deserves).
    """
    places = decimals(value, low, high) if places is None else places
    text, *ends = (number(each, places, signed=signed) for each in (value, low, high))
    return text, f"[{', '.join(ends)}]" if isfinite(low) and isfinite(high) else ""


def shared_places(found: Iterable[Interval]) -> int:
    """Decimals for numbers that are read against each other: what their intervals deserve, in the middle."""
    places = [decimals(each.value, each.low, each.high) for each in found if isfinite(each.value)]
    return median_high(places) if places else 0


def span_text(counts: Sequence[int]) -> str:
    """Counts that may differ: "40", "38–40"; 0 counts only if there is no other."""
    counts = [count for count in counts if count] or [0]
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"

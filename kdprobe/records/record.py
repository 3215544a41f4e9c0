"""What all records share."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from kdprobe.records.notebook import NotebookTable


class Record:
    """Gives a frozen dataclass tables in notebooks; everything in them is escaped."""

    def tables(self) -> list[NotebookTable]:
        """What a notebook shows: every field, unless the record knows better."""
        rows = [(field.name, in_words(getattr(self, field.name))) for field in fields(self)]
        return [NotebookTable(type(self).__name__, (), rows)]

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


class Records(tuple):
    """A tuple of records; in a notebook the tables of one title and head are one, a row below the other."""

    def tables(self) -> list[NotebookTable]:
        """The tables of all records, joined."""
        joined: dict[tuple, NotebookTable] = {}
        for table in (table for record in self for table in record.tables()):
            key = table.title, table.head, tuple(table.notes)
            before = joined[key].rows if key in joined else ()
            joined[key] = table._replace(rows=[*before, *table.rows])
        return list(joined.values())

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables()) or "<p>No records.</p>"


def in_words(value: Any) -> str:
    """A field's value, short: of a tensor its shape, of many values the first 300 letters."""
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) > 0:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {in_words(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(in_words, value))
    else:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 300 else text[:297] + "..."

"""What all records share."""

from dataclasses import fields
from html import escape
from typing import Any


class Record:
    """Gives a frozen dataclass a table in notebooks; everything in it is escaped."""

    def _repr_html_(self) -> str:
        shown = ((escape(f.name), escape(_brief(getattr(self, f.name)))) for f in fields(self))
        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td>{value}</td></tr>" for name, value in shown
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


def _brief(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) > 0:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    text = str(value)
    return text if len(text) <= 300 else text[:297] + "..."

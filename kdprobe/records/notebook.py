"""Small tables as notebooks show them: every text escaped, no script, the notebook's own colours, dark or light."""

import struct
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple
from zlib import compress, crc32

from kdprobe.records.numbers import interval_text

MOST = 12  #: rows of images that are listed; how many more there are stands below

_CELL = "text-align:left;vertical-align:top;padding:0.2em 1em 0.2em 0;border-bottom:1px solid rgba(128,128,128,0.4)"
_SOFT = "opacity:0.8;font-size:0.92em"
_MARKS = {"supported": "✓ supported", "contradicted": "✗ contradicted", "undecided": "? undecided"}


class NotebookCell(NamedTuple):
    """What stands in one cell of a table."""

    text: str
    soft: str = ""  #: after it, set smaller: an interval, a unit
    picture: str = ""  #: before it: a data: URI
    alt: str = ""  #: what the picture is, in words


class NotebookTable(NamedTuple):
    """A title, the columns' heads, rows of texts or cells, and sentences below."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[str | NotebookCell]]
    notes: Sequence[str] = ()

    def html(self) -> str:
        """The table as HTML."""
        head = "".join(f'<th scope="col" style="{_CELL};font-weight:600">{escape(h)}</th>' for h in self.head)
        rows = "".join(f"<tr>{''.join(map(_html, row))}</tr>" for row in self.rows)
        notes = "".join(f'<p style="{_SOFT};margin:0.2em 0">{escape(note)}</p>' for note in self.notes)
        return (
            f'<div style="overflow-x:auto;margin:0.4em 0"><table style="border-collapse:collapse;color:inherit">'
            f'<caption style="text-align:left;font-weight:600;color:inherit">{escape(self.title)}</caption>'
            f"{f'<thead><tr>{head}</tr></thead>' if self.head else ''}<tbody>{rows}</tbody></table>{notes}</div>"
        )


def value_cell(value: float, low: float, high: float, *, signed: bool = False) -> NotebookCell:
    """A number with its interval, in as many decimals as the interval deserves."""
    text, interval = interval_text(value, low, high, signed=signed)
    return NotebookCell(text, interval if low == low and high == high else "")


def verdict_text(verdict: str) -> str:
    """A verdict with the mark that it has everywhere."""
    return _MARKS.get(verdict, verdict)


def shortened(rows: Sequence, what: str) -> tuple[Sequence, list[str]]:
    """The first rows, and the sentence that says how many of `what` follow."""
    return rows[:MOST], [f"and {len(rows) - MOST} more {what}"] if len(rows) > MOST else []


def grey_picture(cells: Any, low: float, high: float) -> str:
    """A map (g, g), `low` black and `high` white, as the data: URI of a PNG; NaN is white."""
    span = (high - low) or 1.0
    rows = [
        bytes(255 if v != v else round(255 * min(1, max(0, (v - low) / span))) for v in row)
        for row in cells.tolist()
    ]
    scans = b"".join(b"\0" + row for row in rows)
    size = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)  # 8 bits, grey
    parts = (_chunk(b"IHDR", size), _chunk(b"IDAT", compress(scans, 9)), _chunk(b"IEND", b""))
    return "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))


def _html(cell: str | NotebookCell) -> str:
    cell = cell if isinstance(cell, NotebookCell) else NotebookCell(cell)
    picture = (
        f'<img src="{escape(cell.picture)}" alt="{escape(cell.alt)}" '
        'style="width:4em;height:4em;display:block;image-rendering:pixelated">'
        if cell.picture
        else ""
    )
    soft = f' <span style="{_SOFT}">{escape(cell.soft)}</span>' if cell.soft else ""
    return f'<td style="{_CELL}">{picture}{escape(cell.text)}{soft}</td>'

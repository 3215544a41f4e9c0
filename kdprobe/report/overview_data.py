"""Networks as the overview's script reads them."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from kdprobe.metrics import CLAIMS, METRICS
from kdprobe.plots import COURSES, interval_text, unit
from kdprobe.records import Interval
from kdprobe.records.signs import SIGNS
from kdprobe.report.cells import PLACE
from kdprobe.report.comparison import plain
from kdprobe.report.overview_rows import OverviewRow
from kdprobe.report.words import WORDS

VERSION = 1
MOST_POINTS = 40  #: epochs of a curve in one page
#: what the fields that name a row are called
HEADS = {
    "data": "data set",
    "model": "architecture",
    "layer": "layer",
    "method": "method",
    "network": "network",
    "seed": "seed",
}


def shown(found: Interval, signed: bool = False) -> dict[str, Any]:
    """Value, interval ("" if it is not known) and n as people read them; `signed` as a difference."""
    text, interval = interval_text(found.value, found.low, found.high, signed=signed)
    return {
        "value": text,
        "interval": interval if isfinite(found.low) and isfinite(found.high) else "",
        "n": found.n,
    }


def overview_data(rows: Sequence[OverviewRow]) -> dict[str, Any]:
    """What the page's script reads, JSON-able: `version`, `heads` (field and words of what names a row), `metrics` (by
    name: sign, its letter and index, title, unit, if a share), their `order` in tables, `curves` (names of those that
    are drawn) and `rows`.

    A row has the names of its network, `accuracy`, `metrics` (by name: value, low, high, n), `gaps` (the same and the
    verdict) and `curves` (by name: epoch, value, low, high, n), with null for what is not known.
    """
    axes = {
        name: {
            "sign": SIGNS[name].sign,
            "letter": WORDS[name].letter,
            "index": WORDS[name].index,
            "title": WORDS[name].title,
            "unit": unit(name),
            "share": METRICS[name].unit == "1",
        }
        for name in CLAIMS
    }
    return {
        "version": VERSION,
        "heads": list(map(list, HEADS.items())),
        "metrics": axes,
        "order": list(CLAIMS),
        "curves": list(COURSES),
        "rows": [_values(row) for row in rows],
    }


def _values(row: OverviewRow) -> dict[str, Any]:
    names = (*PLACE, "network", "role", "method", "seed", "accuracy")
    return plain(
        {name: getattr(row, name) for name in names}
        | {
            "metrics": {name: _numbers(row.metrics[name]) for name in CLAIMS if name in row.metrics},
            "gaps": {
                name: [*_numbers(row.gaps[name].difference), row.gaps[name].verdict]
                for name in CLAIMS
                if name in row.gaps
            },
            "curves": {
                name: [[epoch, *_numbers(found)] for epoch, found in _thinned(points)]
                for name, points in row.curves.items()
            },
        }
    )


def _numbers(found: Interval) -> list[Any]:
    return [found.value, found.low, found.high, found.n]


def _thinned(points: Sequence) -> list:
    """At most MOST_POINTS of them, evenly, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return list(points)
    steps = MOST_POINTS - 1
    return [points[(k * (len(points) - 1) + steps // 2) // steps] for k in range(MOST_POINTS)]

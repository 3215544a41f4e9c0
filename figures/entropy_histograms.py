"""Entropy of foreground and background cells, with H-bar and the margin.

    python figures/entropy_histograms.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds histograms.csv; STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import Histogram, entropy_histograms_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, groups_of

TABLES = {
    "histograms": (
        *("network", "role", "seed", "cells"),
        *("low_edge", "high_edge", "count", "baseline_entropy", "margin"),
    )
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    histograms = []
    for key, rows in groups_of(tables["histograms"], ("network", "role", "seed", "cells")).items():
        rows.sort(key=lambda row: row["low_edge"])
        edges = (*(row["low_edge"] for row in rows), rows[-1]["high_edge"])
        counts = tuple(row["count"] for row in rows)
        histograms.append(Histogram(*key, edges, counts, rows[0]["baseline_entropy"], rows[0]["margin"]))
    return entropy_histograms_figure(histograms, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("entropy_histograms", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

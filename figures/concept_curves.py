"""Concepts over epochs and over weight distance, seed by seed, with the peak epoch.

    python figures/concept_curves.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds curves.csv; STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import COURSES, concept_curves_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, seed_lines_of

TABLES = {"curves": ("network", "role", "seed", "epoch", "path", "metric", "value", "low", "high", "n")}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    courses = {
        (metric, place): seed_lines_of(
            [row for row in tables["curves"] if row["metric"] == metric], place, "value"
        )
        for metric in COURSES
        for place in ("epoch", "path")
    }
    return concept_curves_figure(courses, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("concept_curves", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

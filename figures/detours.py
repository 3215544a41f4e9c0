"""Detours: foreground concepts gained, lost, present and ever present over training.

    python figures/detours.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds forgetting.csv; STEM.pdf and STEM.png are written.
"""

import sys
from math import isfinite

from kdprobe.errors import DataError
from kdprobe.plots import detours_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, seed_lines_of

TABLES = {
    "forgetting": (
        *("network", "role", "seed", "epoch", "cells", "present", "gained", "lost", "ever", "n"),
        *("gained_still", "lost_still"),
    )
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    rows = [row for row in tables["forgetting"] if row["cells"] == "foreground"]
    if not rows:
        raise DataError(f"forgetting.csv has no foreground cells of {note} Write it anew.")
    later = [
        row for row in rows if row["epoch"] >= 1
    ] or rows  # epoch 0 has no predecessor, and S_0 is not in `ever`
    lines = {
        "gained": seed_lines_of(later, "epoch", "gained"),
        "lost": seed_lines_of(later, "epoch", "lost"),
        "present": seed_lines_of(rows, "epoch", "present"),
        "ever": seed_lines_of(later, "epoch", "ever"),
    }
    still = {
        kind: seed_lines_of([row for row in later if isfinite(row[floor])], "epoch", floor)
        for kind, floor in (("gained", "gained_still"), ("lost", "lost_still"))
    }
    return detours_figure(lines, still, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("detours", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

"""Detours: foreground concepts gained, lost, present and ever present over training.

    python figures/detours.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds forgetting.csv and sets.csv (for n); STEM.pdf and STEM.png are written.
"""

import sys
from math import nan

from kdprobe.errors import DataError
from kdprobe.plots import detours_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, seed_lines_of

TABLES = {
    "forgetting": ("network", "role", "seed", "epoch", "cells", "present", "gained", "lost", "ever"),
    "sets": ("network", "seed", "cells", "n"),
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    rows = [row for row in tables["forgetting"] if row["cells"] == "foreground"]
    if not rows:
        raise DataError(f"forgetting.csv has no foreground cells of {note} Write it anew.")
    counts = {(r["network"], r["seed"]): r["n"] for r in tables["sets"] if r["cells"] == "foreground"}
    rows = [row | {"n": counts.get((row["network"], row["seed"]), nan)} for row in rows]
    later = [
        row for row in rows if row["epoch"] >= 1
    ] or rows  # epoch 0 has no predecessor, and S_0 is not in `ever`
    lines = {
        "gained": seed_lines_of(later, "epoch", "gained"),
        "lost": seed_lines_of(later, "epoch", "lost"),
        "present": seed_lines_of(rows, "epoch", "present"),
        "ever": seed_lines_of(later, "epoch", "ever"),
    }
    return detours_figure(lines, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("detours", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

"""What a network shares with its teacher over training, and who had each concept first.

    python figures/overlap.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds overlap.csv; STEM.pdf and STEM.png are written.
"""

import sys
from math import isfinite

from kdprobe.plots import FIRST, Firsts, overlap_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, seed_lines_of

TABLES = {
    "overlap": (
        "network",
        "role",
        "seed",
        "epoch",
        "cells",
        "iou",
        "low",
        "high",
        "n",
        *FIRST,
        "chance",
        "iou_still",
    )
}
ALONE = ("student_alone", "teacher_alone")


def draw(tables: dict[str, list[Row]], column: str, note: str):
    kinds = dict.fromkeys(row["cells"] for row in tables["overlap"])
    rows = {cells: [row for row in tables["overlap"] if row["cells"] == cells] for cells in kinds}
    lines = {cells: seed_lines_of(own, "epoch", "iou") for cells, own in rows.items()}
    chance = {cells: seed_lines_of(own, "epoch", "chance") for cells, own in rows.items()}
    still = {
        cells: seed_lines_of([row for row in own if isfinite(row["iou_still"])], "epoch", "iou_still")
        for cells, own in rows.items()
    }
    firsts = {
        cells: [
            Firsts(row["network"], row["role"], row["seed"], _shares(row))
            for row in own
            if row["role"] != "teacher" and all(isfinite(row[key]) for key in ALONE)
        ]
        for cells, own in rows.items()
    }
    return overlap_figure(lines, firsts, chance, still, column=column, note=note)


def _shares(row: Row) -> dict[str, float]:
    """The shares of FIRST; where nobody knows who was first, what is shared in one."""
    shares = {key: row[key] for key in FIRST}
    known = all(isfinite(share) for share in shares.values())
    return shares if known else shares | {"shared": 1 - sum(row[key] for key in ALONE)}


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("overlap", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

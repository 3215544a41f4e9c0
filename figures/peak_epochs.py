"""When images have most foreground concepts: peak epochs and weight distances D.

    python figures/peak_epochs.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds peaks.csv; STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import Peaks, peak_epochs_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, groups_of

TABLES = {"peaks": ("network", "role", "seed", "peak_epoch", "distance")}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    peaks = [
        Peaks(*key, [row["peak_epoch"] for row in rows], [row["distance"] for row in rows])
        for key, rows in groups_of(tables["peaks"], ("network", "role", "seed")).items()
    ]
    return peak_epochs_figure(peaks, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("peak_epochs", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

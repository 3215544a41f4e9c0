"""Every metric against the test accuracy of the same epoch.

    python figures/accuracy.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds accuracy.csv and curves.csv (for n); STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import COURSES, accuracy_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, seed_lines_of

TABLES = {
    "accuracy": ("network", "role", "seed", "epoch", "accuracy", "metric", "value"),
    "curves": ("metric", "n"),
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    rows = tables["accuracy"]
    metrics = dict.fromkeys(row["metric"] for row in rows)
    lines = {
        metric: seed_lines_of([row for row in rows if row["metric"] == metric], "accuracy", "value")
        for metric in metrics
    }
    counts = [row["n"] for row in tables["curves"] if row["metric"] in COURSES and row["n"] > 0]
    return accuracy_figure(lines, counts, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("accuracy", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

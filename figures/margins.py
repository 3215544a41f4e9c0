"""Quality over the margin b, and the area below it, so that no single b decides.

    python figures/margins.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L] [--student S]

RES holds margins.csv and area.csv; STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import MARGIN_METRICS, MarginCurve, margins_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import SETTING, Row, groups_of, interval_of

TABLES = {
    "margins": ("network", "role", "margin", *MARGIN_METRICS, "seeds", "n"),
    "area": ("network", "area", "low", "high", "n"),
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    curves = []
    for key, rows in groups_of(tables["margins"], ("network", "role")).items():
        rows.sort(key=lambda row: row["margin"])
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        values = {metric: columns[metric] for metric in MARGIN_METRICS}
        curves.append(MarginCurve(*key, columns["margin"], values, int(rows[0]["seeds"]), columns["n"]))
    areas = {row["network"]: interval_of(row, "area", "low", "high") for row in tables["area"]}
    return margins_figure(curves, areas, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("margins", __doc__, TABLES, draw, arguments, keys=(*SETTING, "student"))


if __name__ == "__main__":
    sys.exit(main())

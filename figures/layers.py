"""Layers compared: student and baseline at each layer, metric by metric, with verdicts.

    python figures/layers.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--student S]

RES holds comparisons.csv; STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import LayerComparison, layers_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row, interval_of

KINDS = ("student", "baseline")
ENDS = ("value", "low", "high")
TABLES = {
    "comparisons": (
        *("layer", "metric", "seeds", "n", "verdict"),
        *(f"{kind}_{end}" for kind in KINDS for end in ENDS),
    )
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    rows = tables["comparisons"]
    comparisons = [
        LayerComparison(
            row["layer"],
            row["metric"],
            *(interval_of(row, *(f"{kind}_{end}" for end in ENDS)) for kind in KINDS),
            row["verdict"],
        )
        for row in rows
    ]
    seeds = [row["seeds"] for row in rows]
    return layers_figure(comparisons, rows[0]["student"], seeds=seeds, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("layers", __doc__, TABLES, draw, arguments, keys=("data", "model", "student"))


if __name__ == "__main__":
    sys.exit(main())

"""Concepts learned, kept and discarded as nested discs, with rho.

    python figures/concept_sets.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]

RES holds sets.csv and networks.csv (for rho); STEM.pdf and STEM.png are written.
"""

import sys
from math import nan

from kdprobe.plots import ConceptSets, concept_sets_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import Row

TABLES = {
    "sets": ("network", "role", "seed", "cells", "learned", "kept", "discarded", "n"),
    "networks": ("network", "seed", "metric", "value"),
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    rho = {(r["network"], r["seed"]): r["value"] for r in tables["networks"] if r["metric"] == "stability"}
    sets = [
        ConceptSets(
            *(row[name] for name in TABLES["sets"]),
            rho=rho.get((row["network"], row["seed"]), nan) if row["cells"] == "foreground" else nan,
        )
        for row in tables["sets"]
    ]
    return concept_sets_figure(sets, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("concept_sets", __doc__, TABLES, draw, arguments)


if __name__ == "__main__":
    sys.exit(main())

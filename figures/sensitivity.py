"""Which differences survive which choice: student - baseline under every setting, with intervals and verdicts.

    python figures/sensitivity.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L] [--student S]

RES holds sensitivity.csv and comparisons.csv (for n); STEM.pdf and STEM.png are written.
"""

import sys

from kdprobe.plots import Sensitivity, sensitivity_figure
from kdprobe.report.figure_script import draw_settings
from kdprobe.report.results import SETTING, Row

TABLES = {
    "sensitivity": ("choice", "setting", "metric", "difference", "low", "high", "verdict", "is_default"),
    "comparisons": ("student", "seeds", "n"),
}


def draw(tables: dict[str, list[Row]], column: str, note: str):
    found = [
        Sensitivity(
            *(row[name] for name in TABLES["sensitivity"][:-1]),
            row["is_default"].lower() in ("true", "1", "yes"),
        )
        for row in tables["sensitivity"]
    ]
    seeds, n = ([row[name] for row in tables["comparisons"]] for name in ("seeds", "n"))
    return sensitivity_figure(found, seeds, n, column=column, note=note)


def main(arguments: list[str] | None = None) -> int:
    return draw_settings("sensitivity", __doc__, TABLES, draw, arguments, keys=(*SETTING, "student"))


if __name__ == "__main__":
    sys.exit(main())

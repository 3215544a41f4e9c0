"""Concept maps against Captum's: python figures/attribution_agreement.py STEM [--out STEM].

The first STEM is that of the tables of analyses/attribution_agreement.py: STEM_rank.csv and STEM_top.csv are read, and
pictures are written (default: beside them, as STEM.pdf and STEM.png).
"""

import argparse
import csv
import sys
from pathlib import Path

from kdprobe.errors import DataError, KdprobeError
from kdprobe.plots import agreement_figure, save
from kdprobe.records import Interval


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, help="stem of the two tables, without _rank.csv")
    parser.add_argument("--out", type=Path, help="where to, without suffix (default: the tables' stem)")
    options = parser.parse_args(arguments)
    try:
        rank, top = (_read(Path(f"{options.tables}_{name}.csv")) for name in ("rank", "top"))
        figure = agreement_figure(
            _by_network(rank, " ~ "),
            _by_network(top),
            {row["network"]: row["role"] for row in rank},
            float(top[0]["chance"]),
            float(top[0]["image"]),
        )
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(*save(figure, options.out or options.tables), sep="\n")
    return 0


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of single networks: those without `minus`."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; write it with analyses/attribution_agreement.py.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["minus"]]
    if not rows:
        raise DataError(f"{path} holds no rows; write it anew with analyses/attribution_agreement.py.")
    return rows


def _by_network(rows: list[dict[str, str]], between: str = "") -> dict[str, dict[str, Interval]]:
    """Network -> row -> interval; the two maps of a pair stand one above the other."""
    found: dict[str, dict[str, Interval]] = {}
    for row in rows:
        name = row["maps"].replace(between, "\n") if between else row["maps"]
        numbers = (float(row[column]) for column in ("value", "low", "high"))
        found.setdefault(row["network"], {})[name] = Interval(*numbers, int(row["n"]))
    return found


if __name__ == "__main__":
    sys.exit(main())

"""Agreement with the published procedure against work: python figures/estimator_agreement.py TABLE.csv [--out STEM].

TABLE.csv is that of analyses/estimator_agreement.py; STEM.pdf and STEM.png are written (default: beside the table).
"""

import argparse
import csv
import sys
from pathlib import Path

from kdprobe.errors import DataError, KdprobeError
from kdprobe.plots import Point, save, work_figure


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="the table of analyses/estimator_agreement.py")
    parser.add_argument("--out", type=Path, help="where to, without suffix (default: the table's name)")
    options = parser.parse_args(arguments)
    try:
        figure = work_figure(*_read(options.table))
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(*save(figure, options.out or options.table.with_suffix("")), sep="\n")
    return 0


def _read(path: Path) -> tuple[dict[str, tuple[list[Point], Point]], str]:
    """Case -> points and floor, and a caption; solvers of several budgets are named without them."""
    if not path.is_file():
        raise DataError(f"{path} does not exist; write it with analyses/estimator_agreement.py.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise DataError(f"{path} holds no rows; write it anew with analyses/estimator_agreement.py.")
    cases: dict[str, tuple[list[Point], Point]] = {}
    for case in dict.fromkeys(row["case"] for row in rows):
        own = [
            Point(row["solver"].split()[0], float(row["work"]), float(row["rms"]))
            for row in rows
            if row["case"] == case and row["solver"] != "decomposed"
        ]
        floor = next(point for point in own if point.solver == "sgd")
        cases[case] = ([point for point in own if point is not floor], floor)
    images = sorted({int(row["images"]) for row in rows})
    count = f"{images[0]}" if len(images) == 1 else f"{images[0]} to {images[-1]}"
    caption = (
        f"{count} images each; decomposed: 1, 2, 4 and 8 rounds. Dashed: what two runs of sgd differ by."
    )
    return cases, caption


if __name__ == "__main__":
    sys.exit(main())

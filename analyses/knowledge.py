"""What the networks of a sweep know and when they learned it, as tables.

    python -m analyses.knowledge runs/sweep --out analyses/results/sweep

Reads every finished unit of the sweep and writes into the folder OUT, one row per line of a curve or bar of a chart:

- networks.csv, curves.csv, accuracy.csv: metrics at the end and at every epoch, beside the test accuracy;
- peaks.csv, histograms.csv: the peak epoch of every image; how entropies of foreground and background are distributed;
- forgetting.csv, sets.csv: concepts gained and lost per epoch, learned, kept and discarded;
- overlap.csv: the concepts shared with the teacher, and who had them first; agreement.csv: those shared by seeds;
- classes.csv: metrics of every class; margins.csv, area.csv: metrics over the margin, area under lambda over it;
- paired.csv: students against the baseline in the area, the overlap with the teacher and concepts gained and lost.

Seeds are pooled over what is finished; a later call on a longer sweep writes the tables again. Empty fields are
numbers that do not exist (a teacher with one epoch has no curve, an image without concepts no peak).
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from kdprobe.analysis import Unit
from kdprobe.analysis.knowledge import COLUMNS, knowledge_tables
from kdprobe.errors import KdprobeError
from kdprobe.experiment import sweep_units
from kdprobe.report.forms import csv_bytes
from kdprobe.storage import write_atomically


def write_knowledge(units: Iterable[Unit], folder: Path) -> list[Path]:
    """Writes the tables of the units into `folder`, made if need be; returns their paths."""
    tables, paths = knowledge_tables(units), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        columns = COLUMNS[name]
        paths.append(folder / f"{name}.csv")
        write_atomically(paths[-1], csv_bytes(columns, ([row.get(c) for c in columns] for row in rows)))
    return paths


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="folder of a sweep (the --out of kdprobe sweep)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    options = parser.parse_args(arguments)
    try:
        written = write_knowledge(sweep_units(options.sweep), options.out)
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

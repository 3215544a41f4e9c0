"""The metrics of all networks and the differences with verdicts: python figures/table.py DIR [--out STEM].

DIR is a finished experiment (comparison.json and tables/ in it); STEM.pdf and STEM.png are written.
"""

import argparse
import sys
from pathlib import Path

from kdprobe.errors import KdprobeError
from kdprobe.plots import save, table_figure
from kdprobe.report import read_summary


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", type=Path, help="folder of a finished experiment")
    parser.add_argument("--out", type=Path, help="where to, without suffix (default: DIR/figures/table)")
    options = parser.parse_args(arguments)
    try:
        figure = table_figure(read_summary(options.experiment))
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(*save(figure, options.out or options.experiment / "figures" / "table"), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

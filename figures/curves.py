"""N_fg, N_bg and lambda over epochs and over weight distance: python figures/curves.py DIR [--out STEM].

DIR is a finished experiment (comparison.json and tables/ in it); STEM.pdf and STEM.png are written.
"""

import argparse
import sys
from pathlib import Path

from kdprobe.errors import KdprobeError
from kdprobe.plots import curves_figure, save
from kdprobe.report import read_summary


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", type=Path, help="folder of a finished experiment")
    parser.add_argument("--out", type=Path, help="where to, without suffix (default: DIR/figures/curves)")
    parser.add_argument("--tall", action="store_true", help="3 x 2 panels, for one column of a page")
    options = parser.parse_args(arguments)
    try:
        figure = curves_figure(read_summary(options.experiment), tall=options.tall)
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(*save(figure, options.out or options.experiment / "figures" / "curves"), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the networks look at, image by image: python figures/concept_maps.py DIR [--out STEM] [--networks A].

DIR is a finished experiment (comparison.json and tables/ in it); STEM_01.pdf, STEM_01.png, ... are written.
"""

import argparse
import sys
from pathlib import Path

from kdprobe.errors import KdprobeError
from kdprobe.plots import maps_figure, save
from kdprobe.report import read_summary
from kdprobe.report.results import maps_of_networks


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", type=Path, help="folder of a finished experiment")
    parser.add_argument(
        "--out", type=Path, help="where to, without suffix (default: DIR/figures/concept_maps)"
    )
    parser.add_argument("--networks", nargs="+", help="only these, in this order (default: all)")
    options = parser.parse_args(arguments)
    stem = options.out or options.experiment / "figures" / "concept_maps"
    try:
        maps = read_summary(options.experiment).maps
        figures = [maps_figure(maps_of_networks(image, options.networks)) for image in maps]
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    if not figures:
        print(f"{options.experiment} holds no concept maps.", file=sys.stderr)
        return 2
    for k, figure in enumerate(figures, start=1):
        print(*save(figure, f"{stem}_{k:02d}"), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the networks look at, image by image: python figures/concept_maps.py DIR [--out STEM] [--networks A].

DIR is a finished experiment (comparison.json and tables/ in it); STEM_01.pdf, STEM_01.png, ... are written.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from kdprobe.errors import InputError, KdprobeError
from kdprobe.plots import maps_figure, save
from kdprobe.records import ConceptMaps
from kdprobe.report import read_summary


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
        figures = [maps_figure(_chosen(image, options.networks)) for image in maps]
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    if not figures:
        print(f"{options.experiment} holds no concept maps.", file=sys.stderr)
        return 2
    for k, figure in enumerate(figures, start=1):
        print(*save(figure, f"{stem}_{k:02d}"), sep="\n")
    return 0


def _chosen(maps: ConceptMaps, names: list[str] | None) -> ConceptMaps:
    if names is None:
        return maps
    unknown = [name for name in names if name not in maps.entropy]
    if unknown:
        raise InputError(f"no maps of {unknown[0]!r}; there are maps of: {', '.join(maps.entropy)}")
    return replace(
        maps,
        entropy={name: maps.entropy[name] for name in names},
        concepts={name: maps.concepts[name] for name in names},
    )


if __name__ == "__main__":
    sys.exit(main())

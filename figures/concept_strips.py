"""Strips of concept maps over the epochs, network below network, with the foreground outlined.

    python figures/concept_strips.py RES [--out STEM] [--column one|two] [--all]
        [--data D] [--model M] [--layer L]
        [--networks N ...] [--images K]

RES is a results folder with strips--<data>--<model>--<layer>.npz (or strips.npz; no photographs in them), whose
networks.csv names the seed, or the folder of a finished experiment, whose tables/concept_maps.npz has the
photographs; STEM.pdf and STEM.png are written.
"""

import sys
from pathlib import Path

from kdprobe.errors import DataError, InputError, KdprobeError
from kdprobe.plots import save, strips_figure
from kdprobe.report import read_summary
from kdprobe.report.figure_script import figure_parser, file_name
from kdprobe.report.results import SETTING, maps_of_networks, read_map_file, read_table

EXPERIMENT = "tables/concept_maps.npz"


def main(arguments: list[str] | None = None) -> int:
    parser = figure_parser("concept_strips", __doc__)
    parser.add_argument("--networks", nargs="+", help="only these, in this order (default: all)")
    parser.add_argument("--images", type=int, default=3, help="at most so many images (default: 3)")
    options = parser.parse_args(arguments)
    stem = options.out or options.results / "concept_strips"
    try:
        if options.images < 1:
            raise InputError(f"--images must be 1 or more, got {options.images}.")
        files = _files(options.results, [getattr(options, key) for key in SETTING])
        for path in files if options.all else files[:1]:
            maps = [maps_of_networks(one, options.networks) for one in read_map_file(path)[: options.images]]
            setting = (
                path.stem.removeprefix("strips").removeprefix("--") if path.parent == options.results else ""
            )
            note = _place(options.results, path, setting) + _words(len(maps))
            figure = strips_figure(maps, column=options.column, note=note)
            print(
                *save(figure, f"{stem}--{setting}" if options.all and setting else stem), sep="\n", flush=True
            )
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _files(folder: Path, setting: list[str | None]) -> list[Path]:
    pattern = (
        "strips--" + "--".join("*" if value is None else file_name([value]) for value in setting) + ".npz"
    )
    found = sorted(folder.glob(pattern))
    if not any(setting):
        found += [path for path in (folder / "strips.npz", folder / EXPERIMENT) if path.is_file()]
    if not found:
        raise DataError(
            f"{folder} holds no {pattern} and no {EXPERIMENT}: give a results folder with strips or a finished "
            "experiment."
        )
    return found


def _place(folder: Path, path: Path, setting: str) -> str:
    """Setting and seed, in words; a results folder's strips are of the first seed of their setting."""
    seeds = []
    if path == folder / EXPERIMENT:
        config = read_summary(folder).settings.get("config", {})
        seeds = [config["seed"]] if "seed" in config else []
    elif setting and (folder / "networks.csv").is_file():
        rows = read_table(folder / "networks.csv", (*SETTING, "seed"))
        seeds = [row["seed"] for row in rows if file_name([row[key] for key in SETTING]) == setting]
    parts = [*filter(None, setting.split("--")), *(f"seed {seed}" for seed in seeds[:1])]
    return f"{', '.join(parts)}. " if parts else ""


def _words(images: int) -> str:
    return f"{images} image{'s' if images > 1 else ''}; cells are concepts where H < H̄ − b at that epoch."


if __name__ == "__main__":
    sys.exit(main())

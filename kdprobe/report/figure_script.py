"""The command line that the scripts in figures/ share: a results folder, a setting, a stem."""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kdprobe.errors import KdprobeError
from kdprobe.plots import save
from kdprobe.report.results import SETTING, Row, read_table, rows_of, settings_of

Tables = Mapping[str, Sequence[str]]  #: file name without .csv -> its columns beside the keys
#: Rows of one setting by table, "one" or "two", the setting in words -> the figure.
Draw = Callable[[dict[str, list[Row]], str, str], object]


def figure_parser(script: str, description: str, keys: Sequence[str] = SETTING) -> argparse.ArgumentParser:
    """Options that all scripts have; `script` names the default stem."""
    parser = argparse.ArgumentParser(prog=script, description=description.splitlines()[0])
    parser.add_argument("results", type=Path, metavar="RES", help="folder with the tables of a sweep")
    parser.add_argument(
        "--out", type=Path, metavar="STEM", help=f"where to, without suffix (default: RES/{script})"
    )
    for key in keys:
        parser.add_argument(f"--{key}", help=f"draw this {key} (default: the first)")
    parser.add_argument("--column", choices=("one", "two"), default="two", help="width: columns of a page")
    parser.add_argument(
        "--all",
        action="store_true",
        help="draw every setting, into STEM--" + "--".join(f"<{key}>" for key in keys),
    )
    return parser


def draw_settings(
    script: str,
    description: str,
    tables: Tables,
    draw: Draw,
    arguments: Sequence[str] | None = None,
    keys: Sequence[str] = SETTING,
) -> int:
    """Read the tables, draw one setting or, with --all, every one; print the paths. 0, or 2 after one clear sentence.

    The settings are those of the first table. A later table may lack keys other than data, model and layer.
    """
    options = figure_parser(script, description, keys).parse_args(arguments)
    try:
        rows = {}
        for k, (name, columns) in enumerate(tables.items()):
            own = keys if k == 0 else [key for key in keys if key in SETTING]
            rows[name] = read_table(options.results / f"{name}.csv", (*own, *columns))
        first = next(iter(rows.values()))
        settings = settings_of(first, keys, {key: getattr(options, key) for key in keys})
        stem = options.out or options.results / script
        for setting in settings if options.all else settings[:1]:
            target = f"{stem}--{file_name(setting)}" if options.all else stem
            chosen = {name: rows_of(found, keys, setting) for name, found in rows.items()}
            figure = draw(chosen, options.column, ", ".join(setting) + ".")
            print(*save(figure, target), sep="\n", flush=True)
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def file_name(setting: Sequence[str]) -> str:
    """The setting as part of a file's name: what is no letter, digit, dot, `_`, `+` or `-` becomes `_`."""
    return "--".join(re.sub(r"[^\w.+-]", "_", part) for part in setting)

"""What a preset fills in before config files and options have their say, and ``kdprobe presets``."""

import json
from pathlib import Path
from textwrap import wrap
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from kdprobe import experiment
from kdprobe.experiment.presets import OPEN, ROWS, By, default_of, nested, preset_settings, preset_undone

WIDTH = 100  #: columns at most
_SETTING, _VALUE = 32, 34
_LEGEND = (
    "open [x]: the paper does not settle it, as far as known here, or the code has no such thing, and "
    "kdprobe's default x stands. Settings that are not listed are kdprobe's own and in neither."
)


def with_preset(
    parser: ArgumentParser, arguments: list[str], options: Namespace, *, home: str | None = None
) -> Namespace:
    """The options parsed anew, first what their preset says, if they name one; then config files and options.

    `home`: the config.yaml of networks that are trained already; of a preset asked for on the command line what it says
    of `measure` then comes after that file, since data and training stay what they were; and what another preset had
    filled in there goes first.
    """
    command, rest = arguments[0], arguments[1:]
    asked = options[command]
    first = [] if home is None else ["--config", home]
    if asked.preset is None:
        return parser.parse_args([command, *first, *rest]) if first else options
    known = (parser.parse_args([command, *first, *rest]) if first else options)[command]
    undone = {} if home is None else preset_undone(experiment.read_config(Path(home).parent), asked.preset)
    for _ in range(2):  # a setting may go by another one that the preset fills in
        settings = preset_settings(asked.preset, known.as_dict())
        if first:
            measured = {name: value for name, value in settings.items() if name.startswith("measure.")}
            settings = {**undone, **measured}
        values = nested(settings)
        extra = values.get("data", {}).pop("options", {})
        made = parser.parse_args([command, *first, "--config", json.dumps(values), *rest])
        if extra:
            made[command].data.options = {**extra, **made[command].data.options}
        known = made[command]
    return made


def presets(_options: Namespace) -> int:
    """Prints every setting of both presets."""
    print(presets_table(), end="")
    return 0


def presets_table() -> str:
    """Every setting under both presets, what is left open, and where it is from; at most 100 columns wide."""
    lines = [_line("setting", "paper", "released"), "-" * WIDTH]
    for row in ROWS:
        texts = (_text(value, default_of(row.setting)) for value in (row.paper, row.released))
        cells = [[row.setting], *(wrap(text, _VALUE - 2) for text in texts)]
        for k in range(max(map(len, cells))):
            lines.append(_line(*(cell[k] if k < len(cell) else "" for cell in cells)))
        lines += wrap(row.source, WIDTH - 4, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, "", *wrap(_LEGEND, WIDTH)]) + "\n"


def _line(setting: str, paper: str, released: str) -> str:
    return f"{setting:<{_SETTING}}{paper:<{_VALUE}}{released}".rstrip()


def _text(value: Any, default: Any) -> str:
    """A value in words; where another setting decides, the general one first."""
    if isinstance(value, By):
        by = f"{value.setting} " if value.setting.startswith("teacher.") else ""
        cases = [f"{by}{', '.join(patterns)}: {_text(case, default)}" for patterns, case in value.cases]
        return f"{_text(value.otherwise, default)} ({'; '.join(cases)})"
    if value is OPEN:
        return "open" if default is None else f"open [{_text(default, None)}]"
    if isinstance(value, list | tuple):
        return " ... ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

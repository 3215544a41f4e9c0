"""Which conclusions survive which choice: student against baseline under other margins, masks, weights, grids, ...

    python -m analyses.sensitivity SWEEP --out RES [--remeasure] [--data D] [--model M] [--layer L] [--minutes 30]

SWEEP is the folder of a sweep. Of every finished data set, network and layer each choice is changed by itself, all else
as the sweep has it, and everything is counted anew over all seeds: RES/sensitivity.csv has one row for each choice,
student and metric (difference with its interval nested in seeds, verdict), RES/conclusions.csv one for each student and
metric: its verdict as the sweep has it, and under how many other choices it stays, is left open, or turns round.

Counted anew from the maps that are there: margin, scope, cell_rule (mask to cells), empty, initial, filter (from epoch
1 on, unless the sweep itself has it from another), weights (which of them make D), preset (all that `paper` or
`released` say of counting). D goes where measure.path of the sweep has it go, from kept epoch to kept epoch or over all
steps, under presets too. Measured anew, with --remeasure: grid (cells a side), level (the mean entropy in nats at which
sigma is reported, else by the sweep's own protocol) and protocol.

An interrupted call goes on: rows that are there are not made again, maps neither. The column digest says what a row
rests on (seeds, settings, methods, networks, the choice): rows of which that has changed, or is gone, are dropped and,
if still asked for, made anew.
"""

import argparse
import csv
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdprobe.analysis import Unit, pooled_comparisons
from kdprobe.errors import ConfigError, InputError, KdprobeError
from kdprobe.estimator import Protocol, find_protocol
from kdprobe.experiment import ExperimentConfig
from kdprobe.experiment.config import MeasureConfig
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.gathered import with_both_kinds
from kdprobe.experiment.measuring import measure_all
from kdprobe.experiment.presets import preset_settings, preset_undone
from kdprobe.experiment.setup import load_material, with_image_size
from kdprobe.experiment.sweep import Planned, plan_sweep, read_sweep
from kdprobe.experiment.sweep.plan import at_layer
from kdprobe.experiment.sweep.units import SWEEP, image_ids, measurables, unit_of
from kdprobe.metrics import cells_from_mask
from kdprobe.records import PooledComparison
from kdprobe.report.forms import csv_bytes
from kdprobe.storage import write_atomically

#: what presets say of counting that can be asked of finished networks
COUNTING = (
    "margin",
    "scope",
    "cell_rule",
    "empty",
    "initial",
    "path_lag",
    "sample_filter",
    "filter_keep",
    "weights",
)
#: what of them is decided once the maps are read
RECOUNTED = ("margin", "scope", "cell_rule", "empty", "initial", "path_lag")
TABLE = "sensitivity.csv"
#: columns that name the rows of one choice, and say what they rest on
OF_CHOICE = ("data", "model", "layer", "choice", "setting", "digest")


@dataclass(frozen=True)
class Choice:
    """One setting changed by itself."""

    name: str
    setting: str  #: its value in words
    change: dict[str, Any] = field(default_factory=dict)  #: settings of measure
    preset: str | None = None
    level: float | None = None  #: nats, of the sweep's own protocol
    measured: bool = False  #: whether it takes maps of its own

    def applied(self, config: ExperimentConfig) -> ExperimentConfig:
        """`config` with the choice."""
        own, change = config.measure, dict(self.change)
        if self.preset is not None:
            said = preset_undone(config, self.preset) | preset_settings(self.preset, asdict(config))
            change |= {name: said[f"measure.{name}"] for name in COUNTING if f"measure.{name}" in said}
        if own.sample_filter == "none" != change.get("sample_filter", "none"):
            change["filter_from_epoch"] = 1
        if self.level is not None:
            change["protocol"] = _at_level(find_protocol(own.protocol), self.level)
        return replace(config, measure=replace(own, **change))

    def is_default(self, config: ExperimentConfig) -> bool:
        """Whether it is what `config` has anyway."""
        return self.applied(config) == config


def _at_level(own: Protocol, level: float) -> str | Protocol:
    """`own`, which reports sigma at `level`: its name if it does anyway, else a record that estimators take as well."""
    if (own.report, own.target_entropy) == ("target_entropy", level):
        return own.name
    return replace(own, name=f"level_{level}", report="target_entropy", target_entropy=level)


def _each(name: str, *values: Any, **options: Any) -> list[Choice]:
    return [Choice(name, str(value).lower(), {name: value}, **options) for value in values]


CHOICES = (
    *_each("margin", 0.1, 0.15, 0.2, 0.25, 0.3),
    *_each("scope", "dataset", "image"),
    *_each("cell_rule", "majority", "any", "released"),
    *_each("empty", "skip", "zero"),
    *_each("initial", False, True),
    Choice("filter", "none", {"sample_filter": "none"}),
    Choice("filter", "released", {"sample_filter": "released"}),
    *_each("weights", "dependent", "layer", "all"),
    Choice("preset", "paper", preset="paper"),
    Choice("preset", "released", preset="released"),
    *_each("grid", 8, 16, measured=True),
    *(Choice("level", str(level), level=level, measured=True) for level in (-2.8, -3.0, -2.6)),
    Choice("protocol", "fixed_distortion", {"protocol": "fixed_distortion"}, measured=True),
    Choice("protocol", "converged", {"protocol": "converged"}, measured=True),
)


class Counts:
    """Units of one data set, network and layer under any choice; maps are read once for all that share them."""

    def __init__(self, planned: list[Planned], layer: str) -> None:
        self.planned = planned
        self.configs = [at_layer(with_image_size(one.config), layer) for one in planned]
        self._materials = [load_material(config) for config in self.configs]
        self._known: dict[tuple[int, MeasureConfig], Unit] = {}

    def under(self, choice: Choice) -> list[PooledComparison]:
        """Student against baseline over all seeds."""
        return pooled_comparisons(self._unit(place, choice) for place in range(len(self.planned)))

    def _unit(self, place: int, choice: Choice) -> Unit:
        config = choice.applied(self.configs[place])
        default = self.configs[place].measure
        filtered = config.measure.sample_filter != "none"  # it looks at the foreground cells
        later = [name for name in RECOUNTED if not (filtered and name == "cell_rule")]
        mapped = replace(config.measure, **{name: getattr(default, name) for name in later})
        if (place, mapped) not in self._known:
            self._known[place, mapped] = self._read(place, replace(config, measure=mapped), choice.measured)
        unit = replace(self._known[place, mapped], settings=count_settings(config))
        cells = self._cells(place, config)
        ids = image_ids(self._materials[place].probe)
        rows = [ids.index(each) for each in unit.ids]
        unit = replace(unit, foreground=cells[rows])
        return unit.only(with_both_kinds(config, torch.ones(len(rows), dtype=torch.bool), unit.foreground))

    def _read(self, place: int, config: ExperimentConfig, measured: bool) -> Unit:
        material, planned = self._materials[place], self.planned[place]
        probe = replace(material.probe, foreground_cells=self._cells(place, config))
        material = replace(material, probe=probe)
        found = measurables(planned, config, material)
        if measured:
            measure_all(found, show_progress=False)
        return unit_of(planned, config, material, found)

    def _cells(self, place: int, config: ExperimentConfig) -> Tensor:
        """(N, g, g) bool: the foreground cells of the probe images that `config` asks for."""
        measure = config.measure
        return cells_from_mask(self._materials[place].probe.foregrounds, measure.grid, measure.cell_rule)


def rows_of(
    choice: Choice, digest: str, default: bool, found: list[PooledComparison]
) -> list[dict[str, Any]]:
    """The rows of one choice, which rest on what has `digest`."""
    return [
        {
            **{name: getattr(c, name) for name in ("data", "model", "layer", "student")},
            "choice": choice.name,
            "setting": choice.setting,
            "metric": c.metric,
            "difference": c.difference.value,
            "low": c.difference.low,
            "high": c.difference.high,
            "n": c.n,
            "seeds": c.seeds,
            "verdict": c.verdict,
            "is_default": str(default).lower(),
            "digest": digest,
        }
        for c in found
    ]


def conclusions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each student and metric: the verdict as the sweep has it, and what the other choices make of it."""
    keys = ("data", "model", "layer", "student", "metric")
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    found = []
    for key, own in groups.items():
        defaults = [row["verdict"] for row in own if row["is_default"] == "true"]
        if not defaults:
            continue
        others = [row for row in own if row["is_default"] == "false"]
        turned = {"supported": "contradicted", "contradicted": "supported"}.get(defaults[0])
        found.append(
            {
                **dict(zip(keys, key, strict=True)),
                "verdict": defaults[0],
                "choices": len(others),
                "same": sum(row["verdict"] == defaults[0] for row in others),
                "undecided": sum(row["verdict"] == "undecided" != defaults[0] for row in others),
                "decided": sum(row["verdict"] != "undecided" == defaults[0] for row in others),
                "opposite": sum(row["verdict"] == turned for row in others),
                "changed_by": "; ".join(
                    f"{row['choice']} {row['setting']}: {row['verdict']}"
                    for row in others
                    if row["verdict"] != defaults[0]
                ),
            }
        )
    return found


@dataclass(frozen=True)
class Group:
    """A data set, network and layer of a sweep with the experiments, of all seeds, in which it is done."""

    layer: str
    planned: list[Planned]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.planned[0].data, self.planned[0].model, self.layer

    def places(self) -> list[tuple[Choice, tuple[str, ...]]]:
        """Each choice, with what its rows have in the columns OF_CHOICE."""
        decided = [[planned.seed, planned.decides(self.layer)] for planned in self.planned]
        return [
            (choice, (*self.key, choice.name, choice.setting, _digest([decided, asdict(choice)])))
            for choice in CHOICES
        ]


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def groups_of(sweep: Path) -> list[Group]:
    """All that is finished of the sweep in the folder `sweep`. Raises ConfigError if that is nothing."""
    experiments: dict[tuple[str, str], list[Planned]] = {}
    for planned in plan_sweep(read_sweep(sweep / SWEEP), sweep):
        experiments.setdefault((planned.data, planned.model), []).append(planned)
    groups = [
        Group(layer, done)
        for seeds in experiments.values()
        for layer in seeds[0].layers
        if (done := [planned for planned in seeds if planned.done(layer)])
    ]
    if not groups:
        raise ConfigError(f"Nothing of the sweep in {sweep} is finished; run kdprobe sweep first.")
    return groups


def asked_of(groups: list[Group], data: str | None, model: str | None, layer: str | None) -> list[Group]:
    """Those of `groups` with that data set, network and layer; None: any. Raises ConfigError if there is none."""
    wanted = (data, model, layer)
    found = [
        group
        for group in groups
        if all(name in (None, own) for name, own in zip(wanted, group.key, strict=True))
    ]
    if not found:
        there = "; ".join(", ".join(group.key) for group in groups)
        named = ", ".join(name for name in wanted if name is not None)
        raise ConfigError(f"Nothing finished of the sweep is called {named}; there is: {there}.")
    return found


def _known(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table ({error}); remove it.") from error


def _write(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Both tables; where one has no rows, there is no file."""
    for path, content in ((folder / TABLE, rows), (folder / "conclusions.csv", conclusions(rows))):
        if content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, csv_bytes(tuple(content[0]), (row.values() for row in content)))
        else:
            path.unlink(missing_ok=True)


def table(options: argparse.Namespace, until: float) -> None:
    """Drops the rows that rest on what is no longer so, makes those that are not there, and writes both tables after
    each choice.
    """
    groups = groups_of(options.sweep)
    asked = asked_of(groups, options.data, options.model, options.layer)
    places = {group.key: group.places() for group in groups}
    valid = {place for each in places.values() for _, place in each}
    known = _known(options.out / TABLE)
    rows = [row for row in known if _place(row) in valid]
    if len(rows) < len(known):
        print(f"{len(known) - len(rows)} rows dropped: what they rest on has changed, or is gone.")
        _write(options.out, rows)
    there = {_place(row) for row in rows}
    for group in asked:
        todo = [
            (choice, place)
            for choice, place in places[group.key]
            if (options.remeasure or not choice.measured) and place not in there
        ]
        if not todo:
            continue
        counts, name = Counts(group.planned, group.layer), ", ".join(group.key)
        for choice, place in todo:
            if time.monotonic() > until:
                print("Time is up; the same call goes on from here.")
                return
            try:
                default = choice.is_default(counts.configs[0])
                rows += rows_of(choice, place[-1], default, counts.under(choice))
            # no image is left, its weights were not followed step by step, a file is gone: said, tried by the next call
            except KdprobeError as error:
                print(f"left out: {name}, {choice.name} {choice.setting}: {error}")
                continue
            _write(options.out, rows)
        print(f"{name}: {len(todo)} choices, seeds: {len(group.planned)}")


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in OF_CHOICE)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="folder of a sweep")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--remeasure", action="store_true", help="also what takes maps of its own")
    parser.add_argument("--minutes", type=float, default=55.0, help="begin nothing new after so many")
    for name in ("data", "model", "layer"):
        parser.add_argument(f"--{name}", default=None, help="only that one")
    options = parser.parse_args(arguments)
    try:
        table(options, time.monotonic() + 60 * options.minutes)
    except (KdprobeError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

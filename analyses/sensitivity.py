"""Which conclusions survive which choice: student against baseline under other margins, masks, weights, grids, ...

    python -m analyses.sensitivity SWEEP --out RES [--remeasure] [--data D] [--model M] [--layer L] [--minutes 30]

SWEEP is the folder of a sweep. Of every finished data set, network and layer each choice is changed by itself, all else
as the sweep has it, and everything is counted anew over all seeds: RES/sensitivity.csv has one row for each choice,
student and metric (difference with its interval nested in seeds, verdict), RES/conclusions.csv one for each student and
metric: its verdict as the sweep has it, and under how many other choices it stays, is left open, or turns round.

Counted anew from the maps that are there: margin, scope, cell_rule (mask to cells), empty, initial, filter, weights
(which of them make D), preset (all that `paper` or `released` say of counting; the sample filter looks from epoch 1 on,
and D goes from kept epoch to kept epoch, for steps were not followed). Measured anew, with --remeasure: grid (cells a
side), level (the mean entropy in nats at which sigma is reported) and protocol. An interrupted call goes on: rows in
sensitivity.csv are not made again, maps neither.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from kdprobe.analysis import Unit, pooled_comparisons
from kdprobe.errors import KdprobeError
from kdprobe.estimator import PROTOCOLS, Protocol
from kdprobe.experiment import ExperimentConfig
from kdprobe.experiment.config import MeasureConfig
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.measuring import measure_all
from kdprobe.experiment.presets import preset_settings
from kdprobe.experiment.setup import load_material, with_image_size
from kdprobe.experiment.sweep import Planned, plan_sweep, read_sweep
from kdprobe.experiment.sweep.plan import at_layer
from kdprobe.experiment.sweep.units import SWEEP, image_ids, measurables, unit_of
from kdprobe.metrics import cells_from_mask
from kdprobe.records import PooledComparison
from kdprobe.report.forms import csv_bytes
from kdprobe.storage import write_atomically

LEVELS = {f"level_{level}": Protocol(f"level_{level}", target_entropy=level) for level in (-3.0, -2.6)}
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
KEY = ("data", "model", "layer", "student", "choice", "setting", "metric")


@dataclass(frozen=True)
class Choice:
    """One setting changed by itself."""

    name: str
    setting: str  #: its value in words
    change: dict[str, Any] = field(default_factory=dict)  #: settings of measure
    preset: str | None = None
    measured: bool = False  #: whether it takes maps of its own

    def applied(self, config: ExperimentConfig) -> ExperimentConfig:
        """`config` with the choice."""
        change = dict(self.change)
        if self.preset is not None:
            settings = preset_settings(self.preset, asdict(config))
            change |= {
                name: settings[f"measure.{name}"] for name in COUNTING if f"measure.{name}" in settings
            }
            change["filter_from_epoch"] = 1
        return replace(config, measure=replace(config.measure, **change))

    def is_default(self, config: ExperimentConfig) -> bool:
        """Whether it is what `config` has anyway."""
        return self.applied(config) == config


def _each(name: str, *values: Any, **options: Any) -> list[Choice]:
    return [Choice(name, str(value).lower(), {name: value}, **options) for value in values]


CHOICES = (
    *_each("margin", 0.1, 0.15, 0.2, 0.25, 0.3),
    *_each("scope", "dataset", "image"),
    *_each("cell_rule", "majority", "any", "released"),
    *_each("empty", "skip", "zero"),
    *_each("initial", False, True),
    Choice("filter", "none", {"sample_filter": "none"}),
    Choice("filter", "released", {"sample_filter": "released", "filter_from_epoch": 1}),
    *_each("weights", "dependent", "layer", "all"),
    Choice("preset", "paper", preset="paper"),
    Choice("preset", "released", preset="released"),
    *_each("grid", 8, 16, measured=True),
    Choice("level", "-2.8", {"protocol": "cheng2020"}, measured=True),
    *(Choice("level", name.removeprefix("level_"), {"protocol": name}, measured=True) for name in LEVELS),
    Choice("protocol", "fixed_distortion", {"protocol": "fixed_distortion"}, measured=True),
    Choice("protocol", "converged", {"protocol": "converged"}, measured=True),
)


@contextmanager
def levels() -> Iterator[None]:
    """LEVELS among the protocols that can be asked for by name."""
    PROTOCOLS.update(LEVELS)
    try:
        yield
    finally:
        for name in LEVELS:
            del PROTOCOLS[name]


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
        inside = unit.foreground.flatten(1)
        return unit.only(inside.any(1) & ~inside.all(1))

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


def rows_of(choice: Choice, default: bool, found: list[PooledComparison]) -> list[dict[str, Any]]:
    """The rows of one choice."""
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


def _known(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    if rows:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, csv_bytes(tuple(rows[0]), (row.values() for row in rows)))


def _settings(sweep: Path, options: argparse.Namespace) -> Iterator[tuple[list[Planned], str]]:
    """The experiments, of all seeds, of each data set and network, and each layer that is done in one of them."""
    groups: dict[tuple[str, str], list[Planned]] = {}
    for planned in plan_sweep(read_sweep(sweep / SWEEP), sweep):
        if options.data in (None, planned.data) and options.model in (None, planned.model):
            groups.setdefault((planned.data, planned.model), []).append(planned)
    for group in groups.values():
        for layer in group[0].layers:
            done = [planned for planned in group if planned.done(layer)]
            if done and options.layer in (None, layer):
                yield done, layer


def table(options: argparse.Namespace, until: float) -> None:
    """Makes the rows that are not there yet and writes both tables after each choice."""
    path = options.out / "sensitivity.csv"
    rows = _known(path)
    for planned, layer in _settings(options.sweep, options):
        key = (planned[0].data, planned[0].model, layer)
        seeds = str(len(planned))
        there = {
            (row["choice"], row["setting"])
            for row in rows
            if (row["data"], row["model"], row["layer"], row["seeds"]) == (*key, seeds)
        }
        todo = [
            c for c in CHOICES if (options.remeasure or not c.measured) and (c.name, c.setting) not in there
        ]
        if not todo:
            continue
        counts = Counts(planned, layer)
        for choice in todo:
            if time.monotonic() > until:
                print("Time is up; the same call goes on from here.")
                return
            try:
                made = rows_of(choice, choice.is_default(counts.configs[0]), counts.under(choice))
            except KdprobeError as error:  # a choice that leaves no image to count is an answer too
                print(f"{', '.join(key)}, {choice.name} {choice.setting}: {error}")
                continue
            fresh = {(*key, row["student"], choice.name, choice.setting, row["metric"]) for row in made}
            rows = [row for row in rows if tuple(row[column] for column in KEY) not in fresh] + made
            _write(path, rows)
            _write(options.out / "conclusions.csv", conclusions(rows))
        print(f"{', '.join(key)}: {len(todo)} choices over {seeds} seeds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", type=Path, help="folder of a sweep")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--remeasure", action="store_true", help="also what takes maps of its own")
    parser.add_argument("--minutes", type=float, default=55.0, help="begin nothing new after so many")
    for name in ("data", "model", "layer"):
        parser.add_argument(f"--{name}", default=None, help="only that one")
    options = parser.parse_args()
    with levels():
        table(options, time.monotonic() + 60 * options.minutes)


if __name__ == "__main__":
    main()

"""What a sweep is over, in one YAML file, and the config of each of its experiments."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.folders import filled, read_yaml
from kdprobe.experiment.presets import nested, preset_settings
from kdprobe.paths import expanded

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_RESERVED = ("sweep.yaml", "tables")  #: what else lies in a sweep's folder
#: settings that the sweep itself varies
_OWN = ("seed", "students", "layers", "measure.layer")


@dataclass(frozen=True)
class SweepConfig:
    """Every data set with every network and every seed is one experiment; it is measured at every layer.

    Args:
        data: name -> settings of an experiment, with which it is that data set's.
        models: name -> settings of an experiment, with which it is that network's; `layers` among them are its own.
        seeds: one experiment for each.
        layers: where the networks are measured; methods that imitate the layer under study imitate the first.
        students: distillation methods; teacher and baseline are trained once for all of them.
        base: settings of all experiments; those of the data set, then those of the network, come after.
            Each has the live probe of kdprobe run, in its own folder, and the plan counts its time; live.images 0 does
            without it. What is done stays done either way.
    """

    data: dict[str, Any]
    models: dict[str, Any]
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    layers: list[str] = field(default_factory=lambda: ["fc1"])
    students: list[str] = field(default_factory=lambda: ["kd"])
    base: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("data", "models", "seeds", "layers", "students"):
            values = list(getattr(self, name))
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"{name} of a sweep must name at least one, each once; got {values}.")
        for name in (*self.data, *self.models):
            if (
                not isinstance(name, str)
                or _NAME.fullmatch(name) is None
                or "--" in name
                or name in _RESERVED
            ):
                raise ConfigError(
                    f"{name!r} cannot name a data set or network of a sweep, for it names folders and files: use "
                    f"letters, digits, _ . and single -, and not {' or '.join(_RESERVED)}."
                )
        for name in self.models:
            self.layers_of(name)

    def layers_of(self, model: str) -> tuple[str, ...]:
        """The layers at which the network `model` is measured."""
        own = _mapping(model, self.models[model]).get("layers", self.layers)
        if not isinstance(own, list) or not own or not all(isinstance(layer, str) for layer in own):
            raise ConfigError(f"layers of {model!r} must be a list of names, got {own!r}.")
        if len(set(own)) < len(own):
            raise ConfigError(f"layers of {model!r} must name each layer once, got {own}.")
        return tuple(own)

    def experiment(self, data: str, model: str, seed: int) -> ExperimentConfig:
        """The config of one experiment, at the first of its layers. Raises ConfigError if it is none."""
        own = dict(_mapping(model, self.models[model]))
        own.pop("layers", None)
        values = merged(merged(self.base, _mapping(data, self.data[data])), own)
        for name in _OWN:
            if _found(values, name):
                raise ConfigError(
                    f"{name} is what a sweep varies: set its seeds, students or layers (those of a network beside it)."
                )
        own = {"seed": seed, "students": list(self.students), "measure": {"layer": self.layers_of(model)[0]}}
        try:
            return _made(merged(values, own))
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"The sweep's settings of {data}, {model} are no experiment: {error}."
            ) from error


def read_sweep(path: str | Path) -> SweepConfig:
    """The sweep in the YAML file `path`. Raises ConfigError if it is none, or one of its experiments is none."""
    sweep = read_yaml(SweepConfig, path)
    for data in sweep.data:
        for model in sweep.models:
            sweep.experiment(data, model, sweep.seeds[0])
    return sweep


def with_roots(sweep: SweepConfig, roots: Mapping[str, str | None]) -> SweepConfig:
    """`sweep` with the folders of its data sets, by their names, in full; where None, what it says itself stays.

    Raises ConfigError for a name that it has not.
    """
    unknown = sorted(set(roots) - set(sweep.data))
    if unknown:
        raise ConfigError(f"The sweep has no data set {unknown[0]!r}; it has {', '.join(sweep.data)}.")
    placed = {}
    for name, own in sweep.data.items():
        root = roots.get(name) or root_of(sweep, name)
        placed[name] = (
            own if root is None else merged(own, {"data": {"root": str(expanded(root).absolute())}})
        )
    return replace(sweep, data=placed)


def root_of(sweep: SweepConfig, data: str) -> str | None:
    """The folder of a data set, as far as the sweep says."""
    return merged(sweep.base, sweep.data[data]).get("data", {}).get("root")


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the settings of `above`, which come after; what a group does not name stays."""
    both = dict(below)
    for name, value in above.items():
        known = both.get(name)
        groups = isinstance(known, Mapping) and isinstance(value, Mapping)
        both[name] = merged(known, value) if groups else value
    return both


def _made(values: dict[str, Any]) -> ExperimentConfig:
    config = filled(ExperimentConfig, values)
    if config.preset is None:
        return config
    for _ in range(2):  # a setting may go by another one that the preset fills in
        below = nested(preset_settings(config.preset, asdict(config)))
        config = filled(ExperimentConfig, merged(below, values))
    return config


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name!r} of a sweep must hold settings of an experiment, got {value!r}.")
    return value


def _found(values: Mapping[str, Any], name: str) -> bool:
    first, _, rest = name.partition(".")
    if first not in values:
        return False
    return not rest or (isinstance(values[first], Mapping) and _found(values[first], rest))

"""A sweep's own file in its folder: it may grow, and never says otherwise what it said before."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.sweep.config import SweepConfig, read_sweep, root_of, with_roots
from kdprobe.experiment.sweep.units import SWEEP
from kdprobe.storage import write_atomically


def grown(sweep: SweepConfig, folder: Path) -> SweepConfig:
    """`sweep`, whose data sets lie where it says or, where it does not, where the sweep in `folder` had them.

    It may have more than that one: seeds, layers, networks, data sets, methods. Raises ConfigError if something that it
    had is gone, or would be trained otherwise.
    """
    path = folder / SWEEP
    if not path.is_file():
        return with_roots(sweep, {})
    known = read_sweep(path)
    lost = _lost(known, sweep)
    if lost:
        raise ConfigError(f"{path} has {lost}; a sweep may only grow: choose another --out.")
    return with_roots(sweep, {name: root_of(sweep, name) or root_of(known, name) for name in known.data})


def write_sweep(sweep: SweepConfig, folder: Path) -> None:
    """Writes `sweep` into `folder`, where `sweep_units` finds it."""
    write_atomically(folder / SWEEP, yaml.safe_dump(asdict(sweep), sort_keys=False).encode())


def _lost(known: SweepConfig, sweep: SweepConfig) -> str:
    """What `sweep` no longer has of `known`, or has otherwise, in words."""
    for name, before, now in (("data set", known.data, sweep.data), ("network", known.models, sweep.models)):
        gone = [each for each in before if each not in now]
        if gone:
            return f"the {name} {gone[0]}, and this sweep has not"
    for model in known.models:
        before, now = known.layers_of(model), sweep.layers_of(model)
        if set(before) - set(now):
            return f"other layers of {model} ({', '.join(before)})"
        if before[0] != now[0]:
            return f"{before[0]} as the first layer of {model}, which methods imitate"
    if set(known.seeds) - set(sweep.seeds):
        return f"other seeds ({', '.join(map(str, known.seeds))})"
    if set(known.students) - set(sweep.students):
        return f"other methods ({', '.join(known.students)})"
    for data in known.data:
        for model in known.models:
            before, now = (_trained(each.experiment(data, model, known.seeds[0])) for each in (known, sweep))
            other = sorted(name for name in before if before[name] != now[name])
            if other:
                return f"other settings of {data}, {model} ({', '.join(other)})"
    return ""


def _trained(config: ExperimentConfig) -> dict[str, Any]:
    """Dotted setting -> value, of what networks are trained by."""
    values = asdict(config)
    del values["data"]["root"]
    groups = ("data", "teacher", "training")
    flat = {f"{group}.{name}": value for group in groups for name, value in values[group].items()}
    return flat | {name: values[name] for name in ("model", "model_options")}

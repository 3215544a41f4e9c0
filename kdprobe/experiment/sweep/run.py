"""``kdprobe sweep``: trains and measures what is not done yet, one experiment after the other."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import yaml

from kdprobe.errors import ConfigError, KdprobeError
from kdprobe.experiment.measuring import measurable, measure_all
from kdprobe.experiment.run import trained
from kdprobe.experiment.summarise import summarise
from kdprobe.experiment.sweep.config import SweepConfig, read_sweep
from kdprobe.experiment.sweep.plan import Planned, at_layer, plan_sweep
from kdprobe.experiment.sweep.units import SWEEP
from kdprobe.experiment.unmeasured import measured_members, unmeasured_networks
from kdprobe.report import comparison_json
from kdprobe.storage import write_atomically

Say = Callable[[str], None]


def run_sweep(
    sweep: SweepConfig,
    folder: str | Path,
    *,
    minutes: float | None = None,
    say: Say = print,
    show_progress: bool = True,
) -> list[str]:
    """Trains and measures all that is not done; returns a sentence for each experiment or layer that failed.

    What failed is left aside and tried again by the next call; the others go on. `minutes`: begin nothing new after so
    many. Raises ConfigError, before anything is trained, if `folder` holds another sweep whose results are not these.
    """
    folder, until = Path(folder), None if minutes is None else time.monotonic() + 60 * minutes
    write_sweep(sweep, folder)
    failed, everything = [], plan_sweep(sweep, folder)
    for number, planned in enumerate(everything, start=1):
        todo = planned.todo
        if not todo:
            continue
        if until is not None and time.monotonic() > until:
            left = sum(len(each.todo) for each in everything[number - 1 :])
            say(f"Time is up with {left} layers of experiments to do; the same command goes on from here.")
            break
        say(f"[{number}/{len(everything)}] {planned.name}: {', '.join(todo)}")
        try:
            failed += _run(planned, todo, say, show_progress)
        except KdprobeError as error:  # an experiment that cannot be done must not cost the others
            failed.append(f"{planned.name}: {error}")
            say(failed[-1])
    return failed


def _run(planned: Planned, todo: list[str], say: Say, show_progress: bool) -> list[str]:
    failed = []
    with trained(planned.config, planned.folder, say, show_progress) as (settled, material, found):
        for layer in todo:
            config = at_layer(settled, layer)
            try:
                networks = [
                    measurable(config, material, member)
                    for member in measured_members(config, material, found)
                ]
                measure_all(networks, show_progress=show_progress)
                others = unmeasured_networks(config, material, found)
                planned.finish(layer, comparison_json(summarise(config, material, networks, others)))
            except KdprobeError as error:  # a layer that cannot be measured must not cost the others
                failed.append(f"{planned.name}, {layer}: {error}")
                say(failed[-1])
    return failed


def write_sweep(sweep: SweepConfig, folder: Path) -> None:
    """Writes the resolved sweep into `folder`, where `sweep_units` finds it.

    It may grow (seeds, layers, networks, data sets, methods); raises ConfigError if what it had is gone or other.
    """
    path = folder / SWEEP
    if path.is_file():
        known = read_sweep(path)
        lost = _lost(known, sweep)
        if lost:
            raise ConfigError(
                f"{path} has {lost}, and this sweep has not, or otherwise; it may only grow: choose another --out."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be made: {error.strerror}; choose another --out."
        ) from error
    write_atomically(path, yaml.safe_dump(asdict(sweep), sort_keys=False).encode())


def _lost(known: SweepConfig, sweep: SweepConfig) -> str:
    """What `sweep` no longer has of `known`, in words."""
    for data in known.data:
        if data not in sweep.data:
            return f"the data set {data}"
    for model in known.models:
        if model not in sweep.models:
            return f"the network {model}"
        if set(known.layers_of(model)) - set(sweep.layers_of(model)):
            return f"other layers of {model}"
    if set(known.seeds) - set(sweep.seeds):
        return "other seeds"
    return "other methods" if set(known.students) - set(sweep.students) else ""

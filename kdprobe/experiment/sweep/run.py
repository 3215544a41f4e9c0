"""``kdprobe sweep``: trains and measures what is not done yet, one experiment after the other."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kdprobe.errors import ConfigError
from kdprobe.experiment.lock import sole_run
from kdprobe.experiment.measuring import measurable, measure_all
from kdprobe.experiment.run import make_folder, trained
from kdprobe.experiment.say import Say
from kdprobe.experiment.summarise import summarise
from kdprobe.experiment.sweep.config import SweepConfig
from kdprobe.experiment.sweep.growth import grown, write_sweep
from kdprobe.experiment.sweep.plan import Planned, at_layer, plan_sweep
from kdprobe.experiment.unmeasured import measured_members, unmeasured_networks
from kdprobe.external import users_code
from kdprobe.report import comparison_json


def run_sweep(
    sweep: SweepConfig,
    folder: str | Path,
    *,
    minutes: float | None = None,
    say: Say = print,
    show_progress: bool = True,
) -> list[str]:
    """Trains and measures all that is not done; returns a sentence for each experiment or layer that failed.

    What failed is left aside and tried again by the next call; the others go on. `minutes`: begin no training of an
    experiment and no layer after so many. Raises ConfigError, before anything is trained, if `folder` holds a sweep
    that this one is not grown from, or another process is at work in it.
    """
    folder, until = Path(folder), None if minutes is None else time.monotonic() + 60 * minutes
    failed: list[str] = []

    def late() -> bool:
        return until is not None and time.monotonic() > until

    make_folder(folder)
    with sole_run(folder):
        sweep = grown(sweep, folder)
        write_sweep(sweep, folder)
        everything = plan_sweep(sweep, folder)
        for number, planned in enumerate(everything, start=1):
            todo = planned.todo
            if todo and not late():
                say(f"[{number}/{len(everything)}] {planned.name}: {', '.join(todo)}")
                with _contained(planned.name, failed, say):
                    _run(planned, todo, failed, late, say, show_progress)
        left = sum(len(planned.todo) for planned in everything) if late() else 0
    if left:
        say(f"Time is up with {left} layers of experiments to do; the same command goes on from here.")
    return failed


def _run(
    planned: Planned,
    todo: list[str],
    failed: list[str],
    late: Callable[[], bool],
    say: Say,
    show_progress: bool,
) -> None:
    with trained(planned.config, planned.folder, say, show_progress, todo) as (settled, material, found):
        for layer in todo:
            if late():
                return
            config = at_layer(settled, layer)
            with _contained(f"{planned.name}, {layer}", failed, say):
                everyone = measured_members(config, material, found)
                networks = [measurable(config, material, member) for member in everyone]
                measure_all(networks, show_progress=show_progress)
                others = unmeasured_networks(config, material, found)
                planned.finish(layer, comparison_json(summarise(config, material, networks, others)))


@contextmanager
def _contained(name: str, failed: list[str], say: Say) -> Iterator[None]:
    """What fails inside is said and noted: it must not cost the others."""
    try:
        with users_code(name):
            yield
    except ConfigError as error:
        failed.append(str(error))
        say(f"failed: {error}")

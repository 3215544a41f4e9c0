"""``kdprobe run``: from data to report. What is finished is found again, what is not is done."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import yaml

from kdprobe.errors import ConfigError
from kdprobe.experiment.ahead import ahead
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import check_filter
from kdprobe.experiment.folders import settled
from kdprobe.experiment.lock import sole_run
from kdprobe.experiment.measuring import measurable, measure_all
from kdprobe.experiment.members import Member, member_settings, members
from kdprobe.experiment.publish import publish
from kdprobe.experiment.say import Say
from kdprobe.experiment.setup import Material, load_material
from kdprobe.experiment.specification import check_members
from kdprobe.experiment.train_all import train_all
from kdprobe.experiment.unmeasured import measured_members, unmeasured_networks
from kdprobe.records import ExperimentSummary
from kdprobe.storage import write_atomically


def run_experiment(
    config: ExperimentConfig, folder: str | Path, *, say: Say = print, show_progress: bool = True
) -> ExperimentSummary:
    """Trains, measures, compares and reports into `folder`; goes on where an earlier call with it was stopped.

    What is finished (a network's epochs, a shard of maps) is not done again, and on a CPU the numbers in
    comparison.json are bitwise those of a run that was never stopped.

    Raises ConfigError if `folder` holds networks that were trained with other settings or another process is at work in
    it, and whatever data, networks and layers say that cannot be used: all of it before the first training step, as far
    as it can be known then.
    """
    with trained(config, Path(folder), say, show_progress) as (config, material, found):
        networks = [
            measurable(config, material, member) for member in measured_members(config, material, found)
        ]
        measure_all(networks, show_progress=show_progress)
        return publish(config, material, networks, Path(folder), unmeasured_networks(config, material, found))


def train_experiment(
    config: ExperimentConfig, folder: str | Path, *, say: Say = print, show_progress: bool = True
) -> None:
    """Trains the networks of the experiment in `folder` and no more; `run_experiment` and the others go on from there.

    Goes on where it was stopped; raises as `run_experiment`.
    """
    with trained(config, Path(folder), say, show_progress):
        pass


@contextmanager
def trained(
    config: ExperimentConfig,
    folder: Path,
    say: Say,
    show_progress: bool,
    layers: Sequence[str] | None = None,
) -> Iterator[tuple[ExperimentConfig, Material, list[Member]]]:
    """The settled config, the data and the trained networks; inside, no other process works in `folder`.

    `layers`: where the networks will be measured, None: the config's alone; one of them at least must be measurable.
    """
    with ExitStack() as stack:
        there = folder.is_dir()
        if there:
            stack.enter_context(sole_run(folder))
        config = settled(config, folder)
        found, material = _prepared(config, folder, say, layers)
        if not there:
            make_folder(folder)
            stack.enter_context(sole_run(folder))
            check_members(config, material, found)  # another process may have been faster
        write_config(config, folder)
        train_all(config, material, found, say=say, show_progress=show_progress)
        yield config, material, found


def failed_writes(config: ExperimentConfig, folder: str | Path) -> int:
    """How many snapshots, resume points and log lines of the finished networks in `folder` could not be written."""
    records = [member.record() for member in members(config, Path(folder))]
    kinds = ("failed_snapshots", "failed_notes")
    return sum(record.get(kind, 0) for record in records if record is not None for kind in kinds)


def _prepared(
    config: ExperimentConfig, folder: Path, say: Say, layers: Sequence[str] | None
) -> tuple[list[Member], Material]:
    """The networks and the data, once all that can be known beforehand has been looked at; writes nothing."""
    found = members(config, folder)
    material = load_material(config)
    for split in (material.train, material.test):
        if split.left_out:
            path, reason = split.left_out[0]
            say(
                f"{len(split.left_out)} images of the {split.split} split are left out, first {path}: {reason}."
            )
    for note in material.probe.notes:
        say(note)
    for note in check_members(config, material, found):
        say(note)
    _check_counting(config, found)
    say(_headline(config, material, found))
    say(ahead(config, material, found, folder, layers, say).checked().sentence())
    return found, material


def _check_counting(config: ExperimentConfig, found: list[Member]) -> None:
    """Raises ConfigError if what is to be trained cannot be counted as asked."""
    if config.measure.path == "steps" and not config.training.path_length:
        raise ConfigError(
            "measure.path steps needs what training.path_length true writes down; set both, or measure.path epochs."
        )
    for member in found:
        stage = member.recipe.stages[member.recipe.analysed_stage]
        if member.role in ("baseline", "student"):
            check_filter(config, member.name, member_settings(config, member).stage_epochs(stage.epochs))


def write_config(config: ExperimentConfig, folder: Path) -> None:
    """The resolved config, as a file that ``--config`` reads."""
    values = asdict(config)
    values["measure"]["foreground_share"] = list(config.measure.foreground_share)
    write_atomically(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False).encode())


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be made: {error.strerror}; choose another --out."
        ) from error


def _headline(config: ExperimentConfig, material: Material, found: list[Member]) -> str:
    train, test = material.train, material.test
    height, width = train.image_shape[1:]
    return (
        f"{train.name}: {len(train)} training and {len(test)} test images of {len(train.classes)} classes, "
        f"{width} x {height} pixels, "
        f"{len(material.probe.ids)} probe images; networks: {', '.join(member.name for member in found)}."
    )

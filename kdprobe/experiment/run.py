"""``kdprobe run``: from data to report. What is finished is found again, what is not is done."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from kdprobe.analysis import missing_shards, plan_measurement, seconds_per_image
from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.forecast import (
    Forecast,
    free_bytes,
    map_bytes,
    seconds_per_epoch,
    snapshot_bytes,
)
from kdprobe.experiment.measuring import Measurable, measurable, measure_all
from kdprobe.experiment.members import (
    Member,
    check_members,
    is_finished,
    last_snapshot,
    load_final,
    members,
    specification,
    train_member,
)
from kdprobe.experiment.setup import Material, build, load_material, measure_settings
from kdprobe.experiment.summarise import summarise
from kdprobe.records import ExperimentSummary
from kdprobe.report import comparison_json, write_figures, write_report, write_tables
from kdprobe.storage import write_atomically, write_json

Say = Callable[[str], None]


def run_experiment(
    config: ExperimentConfig, folder: str | Path, *, say: Say = print, show_progress: bool = True
) -> ExperimentSummary:
    """Trains, measures, compares and reports into `folder`; goes on where an earlier call with it was stopped.

    Raises ConfigError if `folder` holds networks that were trained with other settings, and whatever data, networks and
    layers say that cannot be used: all of it before the first training step, as far as it can be known then.
    """
    folder = Path(folder)
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
    check_members(config, material, found)
    say(_headline(config, material, found))
    say(_forecast(config, material, found, folder).sentence())
    write_config(config, folder)
    train_all(config, material, found, say=say, show_progress=show_progress)
    networks = [measurable(config, material, member) for member in found]
    measure_all(networks, show_progress=show_progress)
    return publish(config, material, networks, folder)


def train_all(
    config: ExperimentConfig, material: Material, found: list[Member], *, say: Say, show_progress: bool
) -> None:
    """Trains what is not trained; the teacher first, for the others learn from it."""
    teacher, identity = None, None
    for member in found:
        wanted = specification(config, material, member, identity)
        if is_finished(member, wanted):
            say(f"{member.name}: trained before, accuracy {_accuracy(member)}.")
        else:
            if member.recipe.teacher and teacher is None:
                teacher = load_final(config, material, found[0])
            train_member(config, material, member, wanted, teacher, show_progress=show_progress)
            say(f"{member.name}: trained, accuracy {_accuracy(member)}.")
        if member.role == "teacher":
            identity = last_snapshot(member).digest


def publish(
    config: ExperimentConfig, material: Material, networks: list[Measurable], folder: Path
) -> ExperimentSummary:
    """Writes comparison.json, tables, figures and the report of what was measured.

    comparison.json holds nothing that two runs of one experiment on one machine do not share (no times, no command).
    """
    folder = Path(folder)
    summary = summarise(config, material, networks)
    lasting = {key: value for key, value in summary.provenance.items() if key not in ("command", "trained")}
    write_json(folder / "comparison.json", comparison_json(replace(summary, provenance=lasting)))
    write_tables(summary, folder / "tables")
    write_figures(summary, folder / "figures")
    write_report(summary, folder / "report")
    return summary


def write_config(config: ExperimentConfig, folder: Path) -> None:
    """The resolved config, as a file that ``--config`` reads."""
    values = asdict(config)
    values["measure"]["foreground_share"] = list(config.measure.foreground_share)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be made: {error.strerror}; choose another --out."
        ) from error
    write_atomically(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False).encode())


def _headline(config: ExperimentConfig, material: Material, found: list[Member]) -> str:
    train, test = material.train, material.test
    return (
        f"{train.name}: {len(train)} training and {len(test)} test images of {len(train.classes)} classes, "
        f"{len(material.probe.ids)} probe images; networks: {', '.join(member.name for member in found)}."
    )


def _forecast(config: ExperimentConfig, material: Material, found: list[Member], folder: Path) -> Forecast:
    """Tries out a training step and an estimate; counts only what is not done yet. Checks the layer on the way."""
    model = build(config, material, "baseline")
    plan = plan_measurement(model, material.probe, measure_settings(config))
    one = snapshot_bytes(model)
    if any(member.record() is None for member in found):
        epoch = seconds_per_epoch(model, material.train, material.test, config.training)
    training = measuring = 0.0
    disk = 0
    maps = 0
    for member in found:
        epochs, analysed = _epochs(config, member)
        if member.record() is None:
            training += epochs * epoch * (1.4 if member.recipe.teacher else 1.0)
            disk += (epochs + 1) * one
            maps += (analysed + 1) * len(plan.probe.ids)
        else:
            ready = measurable(config, material, member)
            maps += missing_shards(member.folder, ready.snapshots, ready.plan) * min(16, len(plan.probe.ids))
    if maps:
        measuring = maps * seconds_per_image(model, plan)
    disk += maps * map_bytes(plan.settings.grid) + 10_000_000
    forecast = Forecast(training, measuring, disk, free_bytes(folder))
    if disk > forecast.free_bytes:
        raise ConfigError(
            f"{forecast.sentence()} There is not enough of it: free some, or choose another --out."
        )
    return forecast


def _epochs(config: ExperimentConfig, member: Member) -> tuple[int, int]:
    """Epochs of all stages and of the analysed one."""
    if member.role == "teacher":
        trained = 0 if config.teacher.weights else config.teacher.epochs
        return trained, 0 if config.measure.teacher == "last" else trained
    counts = [config.training.stage_epochs(stage.epochs) for stage in member.recipe.stages]
    return sum(counts), counts[member.recipe.analysed_stage]


def _accuracy(member: Member) -> str:
    accuracy = member.record()["accuracy"]
    return "unknown" if accuracy is None else f"{accuracy:.3f}"

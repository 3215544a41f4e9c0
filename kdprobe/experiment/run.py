"""``kdprobe run``: from data to report. What is finished is found again, what is not is done."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import yaml

from kdprobe.analysis import missing_shards, seconds_per_image
from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import check_filter
from kdprobe.experiment.folders import settled
from kdprobe.experiment.forecast import Forecast, free_bytes, map_bytes, resume_bytes, seconds_per_epoch
from kdprobe.experiment.lock import sole_run
from kdprobe.experiment.measuring import measurable, measure_all
from kdprobe.experiment.members import Member, last_snapshot, load_final, members
from kdprobe.experiment.publish import publish
from kdprobe.experiment.setup import Material, build, load_material, measure_plan
from kdprobe.experiment.specification import (
    check_members,
    is_finished,
    member_settings,
    resume_of,
    specification,
)
from kdprobe.experiment.train_member import train_member
from kdprobe.records import ExperimentSummary
from kdprobe.storage import snapshot_bytes, write_atomically
from kdprobe.storage.resume import ResumeStore

Say = Callable[[str], None]


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
    folder = Path(folder)
    with ExitStack() as stack:
        if folder.is_dir():
            stack.enter_context(sole_run(folder))
        config = settled(config, folder)
        found, material = _prepared(config, folder, say)
        if not folder.is_dir():
            _make(folder)
            stack.enter_context(sole_run(folder))
        write_config(config, folder)
        train_all(config, material, found, say=say, show_progress=show_progress)
        networks = [measurable(config, material, member) for member in found]
        measure_all(networks, show_progress=show_progress)
        return publish(config, material, networks, folder)


def failed_writes(config: ExperimentConfig, folder: str | Path) -> int:
    """How many snapshots, resume points and log lines of the finished networks in `folder` could not be written."""
    records = [member.record() for member in members(config, Path(folder))]
    kinds = ("failed_snapshots", "failed_notes")
    return sum(record.get(kind, 0) for record in records if record is not None for kind in kinds)


def _prepared(config: ExperimentConfig, folder: Path, say: Say) -> tuple[list[Member], Material]:
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
    check_members(config, material, found)
    _check_counting(config, found)
    say(_headline(config, material, found))
    say(_forecast(config, material, found, folder).sentence())
    return found, material


def _check_counting(config: ExperimentConfig, found: list[Member]) -> None:
    """Raises ConfigError if what is to be trained cannot be counted as asked."""
    if config.measure.path == "steps" and not config.training.path_length:
        raise ConfigError(
            "measure.path steps needs what training.path_length true writes down; set both, or measure.path epochs."
        )
    for member in found:
        stage = member.recipe.stages[member.recipe.analysed_stage]
        if member.role != "teacher":
            check_filter(config, member.name, member_settings(config, member).stage_epochs(stage.epochs))


def train_all(
    config: ExperimentConfig, material: Material, found: list[Member], *, say: Say, show_progress: bool
) -> None:
    """Trains what is not trained; the teacher first, for the others learn from it."""
    teacher, identity = None, None
    for member in found:
        wanted = specification(config, material, member, identity)
        if is_finished(member, wanted):
            resume_of(config, member, wanted).discard()  # of a run that was killed between run.json and this
            say(f"{member.name}: trained before, accuracy {_accuracy(member)}{_failed(member)}.")
        else:
            if member.recipe.teacher and teacher is None:
                teacher = load_final(config, material, found[0])
            train_member(config, material, member, wanted, teacher, show_progress=show_progress)
            started = member.record().get("started_from")
            say(f"{member.name}: trained, accuracy {_accuracy(member)}{_failed(member)}.")
            if started:
                say(started)
        if member.role == "teacher":
            identity = last_snapshot(member).digest


def write_config(config: ExperimentConfig, folder: Path) -> None:
    """The resolved config, as a file that ``--config`` reads."""
    values = asdict(config)
    values["measure"]["foreground_share"] = list(config.measure.foreground_share)
    write_atomically(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False).encode())


def _make(folder: Path) -> None:
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


def _forecast(config: ExperimentConfig, material: Material, found: list[Member], folder: Path) -> Forecast:
    """Tries out a training step and an estimate; counts only what is not done yet. Checks the layer on the way."""
    model = build(config, material, "baseline")
    plan = measure_plan(config, model, material.probe)
    one = snapshot_bytes(model)
    training = measuring = 0.0
    disk = maps = 0
    if any(member.record() is None for member in found):
        epoch = seconds_per_epoch(model, material.train, material.test, config.training)
        disk += resume_bytes(model, config.training)
    for member in found:
        if member.record() is None:
            points = ResumeStore(member.folder)
            disk -= sum(path.stat().st_size for path in points.files())
            epochs, kept, analysed = _epochs(config, member, points.epoch())
            training += epochs * epoch * (1.4 if member.recipe.teacher else 1.0)
            disk += kept * one
            maps += analysed * len(plan.probe.ids)
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


def _epochs(config: ExperimentConfig, member: Member, done: int | None) -> tuple[int, int, int]:
    """Epochs after `done`, the last noted; those of them whose weights are kept; and all that are analysed."""
    if member.role == "teacher" and config.teacher.weights is not None:
        return 0, 1, 1
    settings, ends = member_settings(config, member), [0]
    for stage in member.recipe.stages:
        ends.append(ends[-1] + settings.stage_epochs(stage.epochs))
    stages = [settings.kept_epochs(first, last) for first, last in pairwise(ends)]
    analysed = len(stages[member.recipe.analysed_stage])
    last_alone = member.role == "teacher" and config.measure.teacher == "last"
    kept = {epoch for stage in stages for epoch in stage if done is None or epoch > done}
    return ends[-1] - (done or 0), len(kept), 1 if last_alone else analysed


def _accuracy(member: Member) -> str:
    accuracy = member.record()["accuracy"]
    return "unknown" if accuracy is None else f"{accuracy:.3f}"


def _failed(member: Member) -> str:
    record = member.record()
    snapshots, notes = record.get("failed_snapshots", 0), record.get("failed_notes", 0)
    said = f"; {snapshots} of its snapshots could not be written" if snapshots else ""
    return said + (f"; {notes} of its log lines and resume points could not be written" if notes else "")

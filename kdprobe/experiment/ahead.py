"""What is ahead of an experiment: its time, tried out on the spot, and its disk space; only what is not done yet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kdprobe.analysis import missing_shards, seconds_per_image
from kdprobe.errors import KdprobeError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.connector_costs import connector_bytes
from kdprobe.experiment.costs import Costs
from kdprobe.experiment.epochs import kept_by_stage
from kdprobe.experiment.forecast import Forecast, free_bytes, map_bytes, seconds_per_epoch
from kdprobe.experiment.live import is_live, live_seconds, looks
from kdprobe.experiment.measuring import measurable
from kdprobe.experiment.members import Member
from kdprobe.experiment.say import Say
from kdprobe.experiment.setup import Material, build, build_empty, measure_plan
from kdprobe.experiment.teachers import teachers_of
from kdprobe.experiment.unmeasured import differs, reason_unmeasured
from kdprobe.storage.resume import ResumeStore


def ahead(
    config: ExperimentConfig,
    material: Material,
    found: list[Member],
    folder: Path,
    layers: Sequence[str] | None = None,
    say: Say | None = None,
) -> Forecast:
    """Tries out a training step, and an estimate at each of `layers` (None: the config's). Checks them on the way.

    With `say`, a layer that cannot be measured is told to it and counts nothing, as long as another one can be; else
    its error is raised.
    """
    costs = Costs(
        config, material, lambda m: seconds_per_epoch(m, material.train, material.test, config.training)
    )
    measuring, maps = _at_layers(config, material, found, layers or (config.measure.layer,), say)
    training, disk = 0.0, 10_000_000 + maps
    unfinished = [member for member in found if member.record() is None]
    if unfinished:
        disk += costs.resume(unfinished)
    for member in unfinished:
        points = ResumeStore(member.folder)
        disk -= sum(path.stat().st_size for path in points.files())
        teachers = teachers_of(config, material, member, found)
        training += costs.training(member, teachers, points.epoch() or 0)
        disk += _epochs(config, member, points.epoch())[0] * costs.snapshot(member)
        disk += connector_bytes(config, material, member, teachers, points.epoch())
    training += _looking(config, material, unfinished)
    return Forecast(training, measuring, disk, free_bytes(folder))


def _at_layers(
    config: ExperimentConfig,
    material: Material,
    found: list[Member],
    layers: Sequence[str],
    say: Say | None,
) -> tuple[float, int]:
    """Seconds and bytes of the maps at `layers` that are not there yet."""
    seconds, disk, failed = 0.0, 0, []
    for layer in layers:
        try:
            own = _measuring(replace(config, measure=replace(config.measure, layer=layer)), material, found)
        except KdprobeError as error:
            if say is None:
                raise
            failed.append((layer, error))
        else:
            seconds, disk = seconds + own[0], disk + own[1]
    if len(failed) == len(layers):
        raise failed[0][1]
    for layer, error in failed:
        say(f"Layer {layer!r} cannot be measured: {' '.join(str(error).split())}")
    return seconds, disk


def _measuring(config: ExperimentConfig, material: Material, found: list[Member]) -> tuple[float, int]:
    """Seconds and bytes of the maps that are not there yet."""
    model = build(config, material, "baseline")
    plan = measure_plan(config, model, material.probe)
    maps = {False: 0, True: 0}  # of networks of the students' architecture, and of a teacher of another one
    for member in found:
        if reason_unmeasured(config, material, member) is not None:
            continue
        if member.record() is None:
            new = _epochs(config, member, None)[1] * len(plan.probe.ids)
        else:
            ready = measurable(config, material, member)
            new = missing_shards(member.folder, ready.snapshots, ready.plan) * min(16, len(plan.probe.ids))
        maps[member.role == "teacher" and differs(config)] += new
    seconds, disk = 0.0, 0
    for other, number in maps.items():
        if number:
            network = build_empty(config, material, "teacher") if other else model
            seconds += number * seconds_per_image(network, plan)
            disk += number * map_bytes(plan.settings.grid)
    return seconds, disk


def _looking(config: ExperimentConfig, material: Material, unfinished: list[Member]) -> float:
    """Seconds of the live probe."""
    if not unfinished or not config.live.images:
        return 0.0
    apart = differs(config)
    times = dict.fromkeys((False, apart), 0)  # as above
    models = {other: build_empty(config, material, "teacher" if other else "baseline") for other in times}
    for member in unfinished:
        other = member.role == "teacher" and apart
        if is_live(config, material, member, models[other]):
            times[other] += looks(config, member, ResumeStore(member.folder).epoch())
    return sum(live_seconds(config, material, models[other]) * n for other, n in times.items() if n)


def _epochs(config: ExperimentConfig, member: Member, done: int | None) -> tuple[int, int]:
    """Epochs after `done`, the last noted, whose weights are kept; and all that are analysed."""
    stages = kept_by_stage(config, member)
    analysed = len(stages[member.recipe.analysed_stage])
    last_alone = member.role == "teacher" and config.measure.teacher == "last"
    kept = {epoch for stage in stages for epoch in stage if done is None or epoch > done}
    return len(kept), 1 if last_alone else analysed

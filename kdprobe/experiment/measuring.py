"""Measures the finished networks of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn
from tqdm import tqdm

from kdprobe.analysis import (
    Measurement,
    MeasurePlan,
    load_measurement,
    load_noise,
    measure_run,
    missing_shards,
    step_path,
)
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import check_filter
from kdprobe.experiment.members import Member, analysed_stage
from kdprobe.experiment.setup import Material, build_empty, followed_weights, measure_plan
from kdprobe.storage import Snapshot


@dataclass(frozen=True)
class Measurable:
    """A finished network with what is to be measured of it."""

    member: Member
    model: nn.Module  #: its weights are overwritten
    plan: MeasurePlan
    snapshots: list[Snapshot]
    stage: list[Snapshot]  #: all that was kept of the analysed stage; of these `snapshots` are measured


def measurable(config: ExperimentConfig, material: Material, member: Member) -> Measurable:
    """The analysed snapshots of a finished network: all, or the last alone if the config says so of the teacher.

    Raises ConfigError or SnapshotError, before anything is measured, if it cannot be counted as the config says.
    """
    model = build_empty(config, material, member.role, member.network)
    plan = measure_plan(config, model, material.probe)
    stage = analysed_stage(member)
    first, last = stage[0].epoch, stage[-1].epoch
    if member.role in ("baseline", "student"):
        check_filter(config, member.name, last - first)
    if config.measure.path == "steps":
        names = followed_weights(config, model, plan.probe)
        step_path(member.folder, names, first, [snapshot.epoch for snapshot in stage])
    last_alone = member.role == "teacher" and config.measure.teacher == "last"
    return Measurable(member, model, plan, stage[-1:] if last_alone else stage, stage)


def measure_all(found: Sequence[Measurable], *, show_progress: bool) -> int:
    """Measures what is not measured yet; returns the number of estimates (image and snapshot) made."""
    total = sum(len(m.snapshots) * len(m.plan.probe.ids) for m in found)
    made = 0
    if not any(missing_shards(m.member.folder, m.snapshots, m.plan) for m in found):
        return made
    with tqdm(total=total, desc="measuring", unit="map", disable=None if show_progress else True) as bar:

        def done(images: int) -> None:
            nonlocal made
            made += images
            bar.update(images)

        for m in found:
            bar.set_description(f"measuring {m.member.name}")
            before = made
            measure_run(m.member.folder, m.model, m.snapshots, m.plan, done=done)
            bar.update(len(m.snapshots) * len(m.plan.probe.ids) - (made - before))
    return made


def measured(config: ExperimentConfig, found: Measurable, *, noise: bool = True) -> Measurement:
    """What was measured of a network, with the path of the weights that the config names."""
    names = followed_weights(config, found.model, found.plan.probe)
    options = {"stage": found.stage, "path": config.measure.path, "noise": noise}
    return load_measurement(found.member.folder, found.snapshots, found.plan, names, **options)


def with_noise(found: Measurable, whole: Measurement, images: Tensor) -> Measurement:
    """`whole`, what was measured of `found` but for the noise, for the chosen images, a (N,) bool mask, with theirs."""
    noise = load_noise(found.member.folder, found.snapshots, found.plan, images)
    return replace(whole.only(images), noise=noise)

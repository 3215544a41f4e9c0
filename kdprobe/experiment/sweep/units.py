"""From an experiment on the disk to the units that sweeps are analysed by."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from kdprobe.analysis import MeasuredNetwork, Unit
from kdprobe.data import Probe
from kdprobe.errors import ConfigError, KdprobeError, SnapshotError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.gathered import gather
from kdprobe.experiment.measuring import Measurable, measurable, with_noise
from kdprobe.experiment.members import members
from kdprobe.experiment.say import Say
from kdprobe.experiment.setup import Material, load_material, with_image_size
from kdprobe.experiment.sweep.config import read_sweep
from kdprobe.experiment.sweep.plan import Planned, plan_sweep
from kdprobe.experiment.unmeasured import measured_members

SWEEP = "sweep.yaml"  #: the sweep's own file in its folder


def sweep_units(folder: str | Path, say: Say | None = None) -> Iterator[Unit]:
    """The finished units of the sweep in `folder`, one at a time: their noise takes much memory.

    Of those that cannot be read (a snapshot or map is gone or damaged) `say` is told, and the next call of kdprobe
    sweep does again what is missing of them; without `say` their error is raised. Raises ConfigError if `folder` holds
    no sweep, or nothing of it is finished.
    """
    path = Path(folder) / SWEEP
    if not path.is_file():
        raise ConfigError(
            f"No {path}: {folder} is not the folder of a sweep; give one made by kdprobe sweep."
        )
    finished = [
        (planned, config)
        for planned in plan_sweep(read_sweep(path), folder)
        for config in map(planned.counted, planned.layers)
        if config is not None
    ]
    if not finished:
        raise ConfigError(f"Nothing of the sweep in {folder} is finished; run kdprobe sweep first.")
    known: tuple[Planned | None, Material | None] = (None, None)
    for planned, config in finished:
        config = with_image_size(config)
        try:
            if known[0] is not planned:
                known = planned, load_material(config)
            unit = unit_of(planned, config, known[1], measurables(planned, config, known[1]))
        except KdprobeError as error:
            if say is None:
                raise
            say(f"left out: {planned.name}, {config.measure.layer}: {error}")
            if isinstance(error, SnapshotError):
                planned.result(config.measure.layer).unlink(missing_ok=True)
            continue
        yield unit


def measurables(planned: Planned, config: ExperimentConfig, material: Material) -> list[Measurable]:
    """The networks of one experiment that are measured as `config` says."""
    everyone = measured_members(config, material, members(config, planned.folder))
    return [measurable(config, material, member) for member in everyone]


def unit_of(
    planned: Planned, config: ExperimentConfig, material: Material, found: Sequence[Measurable]
) -> Unit:
    """The unit of the networks `found`, measured and counted as `config` says, over the images that count in all."""
    gathered = gather(config, material, found)
    usable, probe = gathered.usable, material.probe
    networks = {}
    for m in gathered.found:
        record, kept = m.member.record(), with_noise(m, gathered.whole[m.member.name], usable)
        by_epoch = tuple(record["accuracy_by_epoch"].get(str(epoch)) for epoch in kept.epochs)
        networks[m.member.name] = MeasuredNetwork(
            m.member.role, m.member.recipe.name, kept, record["accuracy"], by_epoch
        )
    return Unit(
        data=planned.data,
        model=planned.model,
        layer=config.measure.layer,
        seed=planned.seed,
        networks=networks,
        foreground=probe.foreground_cells[usable],
        ids=tuple(name for name, counts in zip(image_ids(probe), usable.tolist(), strict=True) if counts),
        labels=probe.labels[usable],
        classes=tuple(material.train.classes),
        settings=count_settings(config),
    )


def image_ids(probe: Probe) -> tuple[str, ...]:
    """Id and content of every probe image: sets that are made up by the seed give other images the same id."""
    pixels = (image.contiguous().flatten().view(torch.uint8).numpy() for image in probe.images)
    content = (hashlib.sha256(each).hexdigest()[:8] for each in pixels)
    return tuple(f"{name} {digest}" for name, digest in zip(probe.ids, content, strict=True))

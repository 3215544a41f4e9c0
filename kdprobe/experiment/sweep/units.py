"""From an experiment on the disk to the units that sweeps are analysed by."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kdprobe.analysis import MeasuredNetwork, Unit
from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.gathered import gather
from kdprobe.experiment.measuring import Measurable, measurable, with_noise
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import Material, load_material, with_image_size
from kdprobe.experiment.sweep.config import read_sweep
from kdprobe.experiment.sweep.plan import Planned, at_layer, plan_sweep
from kdprobe.experiment.unmeasured import measured_members

SWEEP = "sweep.yaml"  #: the sweep's own file in its folder


def sweep_units(folder: str | Path) -> Iterator[Unit]:
    """The finished units of the sweep in `folder`, one at a time: their noise takes much memory.

    Raises ConfigError if `folder` holds no sweep, or nothing of it is finished.
    """
    path = Path(folder) / SWEEP
    if not path.is_file():
        raise ConfigError(
            f"No {path}: {folder} is not the folder of a sweep; give one made by kdprobe sweep."
        )
    finished = [
        (planned, layer)
        for planned in plan_sweep(read_sweep(path), folder)
        for layer in planned.layers
        if planned.done(layer)
    ]
    if not finished:
        raise ConfigError(f"Nothing of the sweep in {folder} is finished; run kdprobe sweep first.")
    known: tuple[Planned | None, Material | None] = (None, None)
    for planned, layer in finished:
        if known[0] is not planned:
            known = planned, load_material(with_image_size(planned.config))
        yield load_unit(planned, layer, known[1])


def load_unit(planned: Planned, layer: str, material: Material) -> Unit:
    """What was measured of one experiment at `layer`. Raises SnapshotError if it was not."""
    config = at_layer(with_image_size(planned.config), layer)
    return unit_of(planned, config, material, measurables(planned, config, material))


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
        ids=tuple(each for each, counts in zip(probe.ids, usable.tolist(), strict=True) if counts),
        labels=probe.labels[usable],
        classes=tuple(material.train.classes),
        settings=count_settings(config),
    )

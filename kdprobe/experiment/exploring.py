"""The data of the concept explorer: the experiment's layer, and every other one that was measured alike."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from torch import Tensor

from kdprobe.analysis import curves, explorer_images, explorer_layer, has_room, images_shown, missing_shards
from kdprobe.analysis.measure import maps_name
from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import count_settings
from kdprobe.experiment.gathered import Gathered
from kdprobe.experiment.measuring import Measurable, measured, with_noise
from kdprobe.experiment.setup import Material, measure_plan
from kdprobe.records import Explorer, NetworkSummary
from kdprobe.storage import EntropyStore


def explore(
    config: ExperimentConfig, material: Material, gathered: Gathered, networks: Sequence[NetworkSummary]
) -> Explorer | None:
    """What the explorer shows of the measured `networks`; None if report.max_images is 0."""
    if config.report.max_images == 0:
        return None
    settings, probe, usable = count_settings(config), material.probe, gathered.usable
    count = images_shown(gathered.whole, usable, config.report.max_images)
    explorer = explorer_images(probe, material.train, usable, settings, count)
    own = explorer_layer(networks, gathered.whole, probe.foreground_cells, usable, settings, count)
    explorer = replace(explorer, layers=(own,))
    if count < min(config.report.max_images, explorer.counted):
        explorer = _noted(explorer, f"More than {count} images would make this page too large.")
    for layer in _layers_on_disk(gathered.found):
        explorer = _with_layer(config, material, gathered, networks, explorer, layer)
    return explorer


def _layers_on_disk(found: Sequence[Measurable]) -> list[str]:
    """Layers other than the present one of which the disk holds maps of the last snapshots, however measured."""
    layers = set()
    for m in found:
        home = m.member.folder / "entropy"
        for folder in sorted(home.iterdir()) if home.is_dir() else ():
            if folder.name == m.plan.digest or not folder.is_dir():
                continue
            with suppress(SnapshotError):  # damaged maps are no maps
                loaded = EntropyStore(folder).load(maps_name(m.snapshots[-1]))
                layers |= {loaded[0].stats["layer"]} if loaded and "layer" in loaded[0].stats else set()
    return sorted(layers - {m.plan.settings.layer for m in found})


def _with_layer(
    config: ExperimentConfig,
    material: Material,
    gathered: Gathered,
    networks: Sequence[NetworkSummary],
    explorer: Explorer,
    layer: str,
) -> Explorer:
    """`explorer` with `layer`, if all networks that are compared were measured whole there as in this experiment."""
    config = replace(config, measure=replace(config.measure, layer=layer))
    found = list(_measured_alike(config, material, gathered.found))
    if not {*gathered.shown} <= {m.member.name for m in found}:
        return explorer
    try:
        whole = {m.member.name: measured(config, m, noise=False) for m in found}
    except SnapshotError as error:  # of the weights' way, which may be known of one layer alone
        return _noted(explorer, f"Layer {layer} is measured and not shown: {error}")
    if not all(bool(m.usable[gathered.usable].all()) for m in whole.values()):
        return _noted(
            explorer, f"Layer {layer} is not shown: some of these images could not be measured there."
        )
    if not has_room(explorer, whole):
        return _noted(
            explorer,
            f"Layer {layer} is not shown: it would make this page too large (fewer images make room).",
        )
    summaries = [
        _at_layer(config, material, n, m, whole, gathered.usable) for n, m in _pairs(networks, found)
    ]
    shown = explorer_layer(
        summaries,
        whole,
        material.probe.foreground_cells,
        gathered.usable,
        count_settings(config),
        len(explorer.ids),
    )
    return replace(explorer, layers=(*explorer.layers, shown))


def _measured_alike(
    config: ExperimentConfig, material: Material, found: Sequence[Measurable]
) -> Iterator[Measurable]:
    """Those of `found` whose maps under this config are whole on the disk."""
    for m in found:
        with suppress(ConfigError, SnapshotError):  # no such layer in this network, or no reading of its maps
            other = replace(m, plan=measure_plan(config, m.model, material.probe))
            if other.plan.digest != m.plan.digest and not missing_shards(
                other.member.folder, other.snapshots, other.plan
            ):
                yield other


def _pairs(
    networks: Sequence[NetworkSummary], found: Sequence[Measurable]
) -> Iterator[tuple[NetworkSummary, Measurable]]:
    by_name = {m.member.name: m for m in found}
    return ((n, by_name[n.name]) for n in networks if n.name in by_name)


def _at_layer(
    config: ExperimentConfig,
    material: Material,
    network: NetworkSummary,
    found: Measurable,
    whole: dict,
    usable: Tensor,
) -> NetworkSummary:
    """What the explorer needs to know of a network at another layer."""
    kept = with_noise(found, whole[network.name], usable)
    foreground = material.probe.foreground_cells[usable]
    return replace(
        network,
        layer=config.measure.layer,
        path=tuple(kept.path.tolist()),
        curves=curves(network.name, kept, foreground, count_settings(config)),
    )


def _noted(explorer: Explorer, note: str) -> Explorer:
    return replace(explorer, notes=(*explorer.notes, note))

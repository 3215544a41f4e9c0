"""Concept maps for the report: some probe images, chosen networks, epochs spread over the analysed stage."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from kdprobe.analysis.measurement import Measurement
from kdprobe.analysis.unit import Unit
from kdprobe.analysis.values import CountSettings
from kdprobe.data import LabelledImages, Probe
from kdprobe.metrics import concept_cells
from kdprobe.records import ConceptMaps


def chosen_epochs(last: int, count: int) -> tuple[int, ...]:
    """At most `count` epochs out of 0 ... last, evenly, the first and the last among them."""
    if last == 0 or count < 2:
        return (last,)
    return tuple(sorted({round(last * i / (count - 1)) for i in range(count)}))


def concept_maps(
    measurements: Mapping[str, Measurement],
    networks: Sequence[str],
    probe: Probe,
    data: LabelledImages,
    usable: torch.Tensor,
    settings: CountSettings,
    *,
    images: int,
    epochs: int,
) -> list[ConceptMaps]:
    """Maps of the first `images` usable probe images for `networks` at epochs that all of them have kept.

    Epochs are counted from the start of the analysed stage.
    `measurements` hold all N probe images; the baseline entropy is that of the usable ones, as in the metrics.
    """
    places = {name: _places(measurements[name]) for name in networks}
    shared = sorted(set.intersection(*(set(each) for each in places.values())))
    chosen = [shared[k] for k in chosen_epochs(len(shared) - 1, epochs)]
    at = {name: [places[name][epoch] for epoch in chosen] for name in networks}
    rows = usable.nonzero().flatten().tolist()[:images]
    foreground = probe.foreground_cells[usable]
    concepts = {
        name: concept_cells(
            measurements[name].entropy[at[name]][:, usable], foreground, settings.margin, settings.scope
        )
        for name in networks
    }
    found = []
    for place, row in enumerate(rows):
        found.append(
            ConceptMaps(
                image_id=probe.ids[row],
                label=data.classes[int(probe.labels[row])],
                image=data.to_display(probe.images[row]),
                foreground=probe.foregrounds[row].numpy(),
                foreground_cells=probe.foreground_cells[row].numpy(),
                epochs=tuple(chosen),
                entropy={name: measurements[name].entropy[at[name], row].numpy() for name in networks},
                concepts={name: concepts[name][:, place].numpy() for name in networks},
            )
        )
    return found


def unit_maps(unit: Unit, *, images: int, epochs: int) -> list[ConceptMaps]:
    """Maps of the first `images` images of `unit` for baseline and students; a grey plane stands for the photograph."""
    shown = {name: network.measured for name, network in unit.networks.items() if network.role != "teacher"}
    places = {name: _places(measured) for name, measured in shown.items()}
    shared = sorted(set.intersection(*(set(each) for each in places.values())))
    chosen = [shared[k] for k in chosen_epochs(len(shared) - 1, epochs)]
    entropy = {name: shown[name].entropy[[places[name][epoch] for epoch in chosen]] for name in shown}
    concepts = {
        name: concept_cells(maps, unit.foreground, unit.settings.margin, unit.settings.scope)
        for name, maps in entropy.items()
    }
    return [
        ConceptMaps(
            image_id=unit.ids[row],
            label=unit.classes[int(unit.labels[row])],
            image=np.full((*unit.foreground.shape[1:], 3), 0.85),
            foreground=unit.foreground[row].numpy(),
            foreground_cells=unit.foreground[row].numpy(),
            epochs=tuple(chosen),
            entropy={name: maps[:, row].numpy() for name, maps in entropy.items()},
            concepts={name: maps[:, row].numpy() for name, maps in concepts.items()},
        )
        for row in range(min(images, len(unit.ids)))
    ]


def _places(measured: Measurement) -> dict[int, int]:
    """Epoch counted from the stage's start -> where it stands in the measurement."""
    return {epoch - measured.epochs[0]: place for place, epoch in enumerate(measured.epochs)}

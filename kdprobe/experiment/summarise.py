"""Puts the summary of an experiment together from what was measured."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from kdprobe.analysis import (
    Measurement,
    ceiling,
    compare,
    concept_maps,
    curves,
    judge,
    metric_intervals,
    network_values,
    settings_record,
)
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import count_settings, counting_sentences
from kdprobe.experiment.exploring import explore
from kdprobe.experiment.gathered import gather
from kdprobe.experiment.measuring import Measurable, with_noise
from kdprobe.experiment.notes import notes
from kdprobe.experiment.provenance import provenance
from kdprobe.experiment.setup import Material
from kdprobe.metrics import METRICS
from kdprobe.records import ExperimentSummary, NetworkSummary, UnmeasuredNetwork


def summarise(
    config: ExperimentConfig,
    material: Material,
    found: Sequence[Measurable],
    others: Sequence[UnmeasuredNetwork] = (),
    *,
    explorer: bool = False,
) -> ExperimentSummary:
    """Metrics, curves, comparisons, verdicts and maps of the measured networks, over the images that count in all.

    `others` taught and were not measured. `explorer`: with what the concept explorer of the report needs.
    """
    settings = count_settings(config)
    gathered = gather(config, material, found)
    found, whole, usable = gathered.found, gathered.whole, gathered.usable
    foreground = material.probe.foreground_cells[usable]
    values, networks, bare = {}, [], []
    for m in found:  # the noise of one network at a time: it is the bulk of what was measured
        name = m.member.name
        kept = with_noise(m, whole[name], usable)
        values[name] = network_values(name, kept, foreground, settings)
        networks.append(_network(config, m, kept, values, foreground))
        bare += [name] if kept.noise is None else []
        del kept  # before the next one takes its room
    comparisons, hypotheses = [], []
    for m in found:
        if m.member.role == "student" and "baseline" in values:
            against = compare(m.member.name, "baseline", values, settings)
            comparisons += against
            hypotheses += judge(against, settings)
    maps = concept_maps(
        whole,
        gathered.shown,
        material.probe,
        material.train,
        usable,
        settings,
        images=config.report.images,
        epochs=config.report.epochs,
    )
    return ExperimentSummary(
        title=config.title,
        networks=tuple(networks),
        comparisons=tuple(comparisons),
        hypotheses=tuple(hypotheses),
        maps=tuple(maps),
        settings={"config": _deciding(config), "measurement": settings_record(_first(found).plan)},
        provenance={**provenance(), "trained": {m.member.name: _training(m) for m in found}},
        notes=(*notes(config, material, found, whole, bare), *gathered.notes),
        counting=counting_sentences(config),
        unmeasured=(*others, *gathered.mute),
        explorer=explore(config, material, gathered, networks) if explorer else None,
    )


def _first(found: Sequence[Measurable]) -> Measurable:
    """The first that is no teacher, if there is one: a teacher may be of another architecture."""
    return next((m for m in found if m.member.role != "teacher"), found[0])


def _network(
    config: ExperimentConfig, found: Measurable, kept: Measurement, values: dict, foreground: torch.Tensor
) -> NetworkSummary:
    settings, name = count_settings(config), found.member.name
    record = found.member.record()
    stage = next(stage for stage in record["stages"] if stage["analysed"])
    return NetworkSummary(
        name=name,
        role=found.member.role,
        recipe=found.member.recipe.name,
        layer=config.measure.layer,
        epochs=kept.epochs,
        path=tuple(kept.path.tolist()),
        curves=curves(name, kept, foreground, settings),
        metrics=metric_intervals(values[name], settings),
        left_out={metric: int(values[name].values[metric].isnan().sum()) for metric in METRICS},
        accuracy=record["accuracy"],
        accuracy_by_epoch=tuple(record["accuracy_by_epoch"].get(str(epoch)) for epoch in kept.epochs),
        accuracy_note="" if stage["classifier_trained"] else "classifier not trained yet",
        noise_ceiling=ceiling(kept, foreground, settings),
        flagged=kept.flagged,
    )


def _training(found: Measurable) -> dict[str, Any]:
    """What its training took, and which command of which kdprobe that was."""
    record = found.member.record()
    origin = record["provenance"]  # of a network that was imported no command is known
    return {key: record[key] for key in ("seconds", "steps")} | {
        key: origin[key] for key in ("git_revision", "command") if key in origin
    }


def _deciding(config: ExperimentConfig) -> dict[str, Any]:
    """The settings but for those of the live probe, on which no number here rests."""
    return {name: value for name, value in asdict(config).items() if name != "live"}

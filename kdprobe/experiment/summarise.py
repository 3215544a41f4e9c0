"""Puts the summary of an experiment together from what was measured."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from kdprobe.analysis import (
    Measurement,
    ceiling,
    common_images,
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
from kdprobe.experiment.gathered import gather
from kdprobe.experiment.measuring import Measurable, with_noise
from kdprobe.experiment.preset_notes import preset_notes
from kdprobe.experiment.provenance import provenance
from kdprobe.experiment.schedules import schedule_notes
from kdprobe.experiment.setup import Material
from kdprobe.experiment.unmeasured import architecture_notes
from kdprobe.metrics import METRICS
from kdprobe.records import ExperimentSummary, NetworkSummary, UnmeasuredNetwork


def summarise(
    config: ExperimentConfig,
    material: Material,
    found: Sequence[Measurable],
    others: Sequence[UnmeasuredNetwork] = (),
) -> ExperimentSummary:
    """Metrics, curves, comparisons, verdicts and maps of the measured networks, over the images that count in all.

    `others` taught and were not measured.
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
        title=config.report.title or f"{config.data.name}, {config.model}, layer {config.measure.layer}",
        networks=tuple(networks),
        comparisons=tuple(comparisons),
        hypotheses=tuple(hypotheses),
        maps=tuple(maps),
        settings={"config": asdict(config), "measurement": settings_record(_first(found).plan)},
        provenance={**provenance(), "trained": {m.member.name: _training(m) for m in found}},
        notes=(*_notes(config, material, found, whole, bare), *gathered.notes),
        counting=counting_sentences(config),
        unmeasured=(*others, *gathered.mute),
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
    record = found.member.record()
    return {key: record[key] for key in ("seconds", "steps")} | {
        "git_revision": record["provenance"]["git_revision"]
    }


def _notes(
    config: ExperimentConfig,
    material: Material,
    found: Sequence[Measurable],
    whole: dict[str, Measurement],
    bare: Sequence[str],
) -> list[str]:
    """`bare`: the networks of which standard errors alone were kept."""
    probe, usable = material.probe, common_images(whole)
    notes = preset_notes(config, [m.member for m in found])
    notes.append(f"{len(probe.ids)} probe images from the training split, un-augmented.")
    notes.append("One seed: the intervals leave out the variation between seeds.")
    notes += schedule_notes(found)
    notes += architecture_notes(config, [m.member for m in found])
    notes += [sentence for m in found for sentence in m.member.record().get("taught", ())]
    notes += probe.notes
    if material.train.foreground_kind == "central":
        notes.append("The foreground is a fixed central square, not the object: N_fg and N_bg are coarse.")
    if material.train.foreground_kind == "box":
        notes.append("The foreground is a box: its corners are background that counts as foreground.")
    for split in (material.train, material.test):
        if split.left_out:
            path, reason = split.left_out[0]
            notes.append(
                f"{len(split.left_out)} images of the {split.split} split were left out, first {path}: {reason}."
            )
    if int((~usable).sum()):
        outcomes = {name: m.outcomes for name, m in whole.items() if not bool(m.usable.all())}
        notes.append(
            f"{int((~usable).sum())} probe images left all networks, because an estimate failed: {outcomes}."
        )
    if bare:
        notes.append(
            f"{', '.join(bare)}: measured by a kdprobe that kept standard errors alone. Their noise is taken as "
            "independent between cells, epochs and networks: counts are less sure than their intervals say, and the "
            "noise ceiling is too low."
        )
    flagged = {name: m.flagged for name, m in whole.items() if m.flagged}
    if flagged:
        notes.append(f"Estimates that did not reach the target entropy (kept, flagged): {flagged}.")
    notes += _gaps(found, straight=config.measure.path == "epochs")
    lengths = {len(m.snapshots) - 1 for m in found}
    if len(lengths) > 1:
        notes.append(
            "D and rho grow and fall with the number of epochs: compare them only between equal numbers."
        )
    staged = [m.member.name for m in found if len(m.member.recipe.stages) > 1]
    if staged:
        notes.append(
            f"{', '.join(staged)}: measured on the distillation stage alone, before the classifier is trained; the "
            "accuracy is that after all stages."
        )
    return notes


def _gaps(found: Sequence[Measurable], *, straight: bool) -> list[str]:
    """What was not kept of the analysed stages, and what the metrics then mean."""
    notes = []
    for m in found:
        kept = [snapshot.epoch for snapshot in m.stage]
        record = m.member.record()
        stage = next(stage for stage in record["stages"] if stage["analysed"])
        lacking = sorted(set(range(kept[0], stage["last_epoch"] + 1)) - set(kept))
        failed = record.get("failed_snapshots", 0)
        if lacking:
            why = f" ({failed} could not be written)" if failed else ""
            notes.append(
                f"{m.member.name}: of epochs {kept[0]} ... {stage['last_epoch']} the weights of {len(lacking)} were "
                f"not kept{why}: M, D and rho are over the {len(kept) - 1} kept after epoch {kept[0]} "
                f"({', '.join(map(str, kept[1:]))}){', D along straight lines between them' if straight else ''}."
            )
        elif failed:
            notes.append(
                f"{m.member.name}: {failed} of its snapshots outside the analysed stage could not be written."
            )
        if record.get("failed_notes"):
            notes.append(
                f"{m.member.name}: {record['failed_notes']} log lines and resume points could not be written when they "
                "were due; the numbers here do not rest on them."
            )
        if kept[0] and stage["index"] == 0:
            notes.append(
                f"{m.member.name}: its first snapshot is of epoch {kept[0]}, so D starts there and not at the initial "
                "weights."
            )
    return notes

"""What the report says below its numbers of how they came about."""

from collections.abc import Sequence

from kdprobe.analysis import Measurement, common_images
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.measuring import Measurable
from kdprobe.experiment.preset_notes import preset_notes
from kdprobe.experiment.schedules import schedule_notes
from kdprobe.experiment.setup import Material
from kdprobe.experiment.unmeasured import architecture_notes


def notes(
    config: ExperimentConfig,
    material: Material,
    found: Sequence[Measurable],
    whole: dict[str, Measurement],
    bare: Sequence[str],
) -> list[str]:
    """What a reader of the report must know of the measured networks `found`, in sentences.

    whole: what was measured, by network. bare: the networks of which standard errors alone were kept.
    """
    probe, usable = material.probe, common_images(whole)
    said = preset_notes(config, [m.member for m in found])
    said.append(f"{len(probe.ids)} probe images from the training split, un-augmented.")
    said.append("One seed: the intervals leave out the variation between seeds.")
    said += schedule_notes(found)
    said += architecture_notes(config, [m.member for m in found])
    said += [sentence for m in found for sentence in m.member.record().get("taught", ())]
    said += probe.notes
    if material.train.foreground_kind == "central":
        said.append("The foreground is a fixed central square, not the object: N_fg and N_bg are coarse.")
    if material.train.foreground_kind == "box":
        said.append("The foreground is a box: its corners are background that counts as foreground.")
    for split in (material.train, material.test):
        if split.left_out:
            path, reason = split.left_out[0]
            said.append(
                f"{len(split.left_out)} images of the {split.split} split were left out, first {path}: {reason}."
            )
    if int((~usable).sum()):
        outcomes = {name: m.outcomes for name, m in whole.items() if not bool(m.usable.all())}
        said.append(
            f"{int((~usable).sum())} probe images left all networks, because an estimate failed: {outcomes}."
        )
    if bare:
        said.append(
            f"{', '.join(bare)}: measured by a kdprobe that kept standard errors alone. Their noise is taken as "
            "independent between cells, epochs and networks: counts are less sure than their intervals say, and the "
            "noise ceiling is too low."
        )
    flagged = {name: m.flagged for name, m in whole.items() if m.flagged}
    if flagged:
        said.append(f"Estimates that did not reach the target entropy (kept, flagged): {flagged}.")
    said += _gaps(found, straight=config.measure.path == "epochs")
    lengths = {len(m.snapshots) - 1 for m in found}
    if len(lengths) > 1:
        said.append(
            "D and rho grow and fall with the number of epochs: compare them only between equal numbers."
        )
    staged = [m.member.name for m in found if len(m.member.recipe.stages) > 1]
    if staged:
        said.append(
            f"{', '.join(staged)}: measured on the distillation stage alone, before the classifier is trained; the "
            "accuracy is that after all stages."
        )
    return said


def _gaps(found: Sequence[Measurable], *, straight: bool) -> list[str]:
    """What was not kept of the analysed stages, and what the metrics then mean."""
    said = []
    for m in found:
        kept = [snapshot.epoch for snapshot in m.stage]
        record = m.member.record()
        stage = next(stage for stage in record["stages"] if stage["analysed"])
        lacking = sorted(set(range(kept[0], stage["last_epoch"] + 1)) - set(kept))
        failed = record.get("failed_snapshots", 0)
        if lacking:
            why = f" ({failed} could not be written)" if failed else ""
            said.append(
                f"{m.member.name}: of epochs {kept[0]} ... {stage['last_epoch']} the weights of {len(lacking)} were "
                f"not kept{why}: M, D and rho are over the {len(kept) - 1} kept after epoch {kept[0]} "
                f"({', '.join(map(str, kept[1:]))}){', D along straight lines between them' if straight else ''}."
            )
        elif failed:
            said.append(
                f"{m.member.name}: {failed} of its snapshots outside the analysed stage could not be written."
            )
        if record.get("failed_notes"):
            said.append(
                f"{m.member.name}: {record['failed_notes']} log lines and resume points could not be written when they "
                "were due; the numbers here do not rest on them."
            )
        if kept[0] and stage["index"] == 0:
            said.append(
                f"{m.member.name}: its first snapshot is of epoch {kept[0]}, so D starts there and not at the initial "
                "weights."
            )
    return said

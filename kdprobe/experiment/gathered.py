"""What was measured of an experiment's networks, and the images that count in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from kdprobe.analysis import Measurement, common_images, effective_images
from kdprobe.errors import InputError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.counting import sample_filter
from kdprobe.experiment.measuring import Measurable, measured
from kdprobe.experiment.setup import Material
from kdprobe.experiment.unmeasured import mute_teachers
from kdprobe.records import UnmeasuredNetwork


@dataclass(frozen=True, eq=False)
class Gathered:
    """The measured networks of an experiment, those without a usable map left out."""

    found: list[Measurable]
    whole: dict[str, Measurement]  #: by name: of all N probe images, without the noise
    mute: tuple[UnmeasuredNetwork, ...]  #: teachers of whose maps none can be used
    shown: list[str]  #: the networks that are compared: baseline and students, if there are any
    usable: torch.Tensor  #: (N,) bool: the images that count
    notes: list[str]  #: what the sample filter did


def gather(config: ExperimentConfig, material: Material, found: Sequence[Measurable]) -> Gathered:
    """What was measured of the networks `found`, and which of the probe images count.

    These could be measured in all networks, have foreground and background cells and, if asked for, pass the sample
    filter. Raises InputError if none is left.
    """
    whole = {m.member.name: measured(config, m, noise=False) for m in found}
    mute = mute_teachers(config, [(m.member, whole[m.member.name]) for m in found])
    found = [m for m in found if m.member.name not in [network.name for network in mute]]
    whole = {m.member.name: whole[m.member.name] for m in found}
    shown = [m.member.name for m in found if m.member.role != "teacher"] or [m.member.name for m in found]
    usable, notes = _images(config, material, whole, shown)
    return Gathered(found, whole, mute, shown, usable, notes)


def with_both_kinds(config: ExperimentConfig, images: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """Those of `images`, (N,) bool, with foreground and background among their `cells`, (N, g, g) bool foreground.

    Raises InputError if none is left.
    """
    cells = cells.flatten(1)
    kept = images & cells.any(1) & ~cells.all(1)
    if not kept.any():
        measure = config.measure
        raise InputError(
            f"None of the {int(images.sum())} probe images that could be measured has both foreground and background "
            f"among its {measure.grid} x {measure.grid} cells by the rule {measure.cell_rule}; choose another "
            "measure.cell_rule or measure.grid."
        )
    return kept


def _images(
    config: ExperimentConfig, material: Material, whole: dict[str, Measurement], networks: list[str]
) -> tuple[torch.Tensor, list[str]]:
    """Which probe images count, and what the sample filter did; it asks `networks`, those that are compared."""
    cells = material.probe.foreground_cells
    usable, chosen = with_both_kinds(config, common_images(whole), cells), sample_filter(config)
    if chosen is None:
        return usable, []
    asked = {name: replace(m, usable=with_both_kinds(config, m.usable, cells)) for name, m in whole.items()}
    found = effective_images(asked, networks, cells, chosen)
    kept = ", ".join(f"{name} {count}" for name, count in found.by_network.items())
    note = (
        f"Sample filter of the released code: {int(found.images.sum())} of {len(usable)} probe images count, those "
        f"that all networks keep (each for itself: {kept}). These are images on which a late network already discards "
        "more on the background, so the counts favour the first hypothesis."
    )
    return found.images, [note]

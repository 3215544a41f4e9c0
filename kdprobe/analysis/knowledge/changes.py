"""What one network gained, lost, discarded and shares with its teacher, image by image, with the estimator's noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kdprobe.analysis.unit import Unit
from kdprobe.analysis.values import redraw_seed
from kdprobe.metrics import StillMaps, concept_overlap, forgetting, learned_sets, still_maps

#: of `Changes`; all but the first speak of epochs, and are compared only where the same are kept
QUANTITIES = ("overlap", "lost", "gained", "discarded")


@dataclass(frozen=True, eq=False)
class Changes:
    """Of the foreground: quantity -> (N,), NaN where an image has no value, and (R, N), the same in redraws.

    overlap: `concept_overlap` with the teacher's last epoch, at the last epoch; lost, gained: cells per kept epoch,
    mean over the epochs after the first; discarded: 1 - kept / learned (`learned_sets`).
    """

    values: dict[str, Tensor]
    noise: dict[str, Tensor]


def image_changes(
    concepts: Tensor, first: int, foreground: Tensor, teacher: Tensor | None
) -> dict[str, Tensor]:
    """Quantity -> (N,), from the concepts (M+1, N, g, g) at all kept epochs.

    first: place of the first epoch that enters rho; teacher: (N, g, g), its concepts at its last epoch, if any.
    """
    changes, sets = forgetting(concepts, foreground), learned_sets(concepts[first:], foreground)
    kept, learned = (each.sum((-2, -1)).double() for each in (sets.kept, sets.learned))
    nothing = torch.full_like(kept, torch.nan)
    alone = len(concepts) == 1
    return {
        "overlap": nothing if teacher is None else concept_overlap(concepts[-1], teacher, foreground),
        "lost": nothing if alone else changes.lost[1:].double().mean(0),
        "gained": nothing if alone else changes.gained[1:].double().mean(0),
        "discarded": nothing if alone else 1 - kept / torch.where(learned > 0, learned, torch.nan),
    }


def count_still(name: str, unit: Unit, cells: Mapping[str, Tensor]) -> dict[str, StillMaps]:
    """`still_maps` of the last epoch's maps for each kind of cells; nothing without noise of the maps.

    Standard errors alone would let all epochs err apart, and show more change than there is.
    """
    measured, settings = unit.networks[name].measured, unit.settings
    if measured.noise is None:
        return {}
    return still_maps(
        measured.entropy[-1],
        measured.noise,
        unit.foreground,
        cells,
        margin=settings.margin,
        scope=settings.scope,
        redraws=settings.redraws,
        seed=redraw_seed(name, measured, settings),
    )

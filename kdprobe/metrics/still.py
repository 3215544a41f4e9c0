"""What the estimator's noise alone shows of maps that never change: the floor of gains, losses and overlap."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import finite_entropy, positive_count
from kdprobe.metrics.concepts import concept_cells
from kdprobe.metrics.forgetting import forgetting
from kdprobe.metrics.noise import redraw
from kdprobe.metrics.overlap import concept_overlap


class StillMaps(NamedTuple):
    """Means over the redraws."""

    gained: Tensor  #: (E, N) float64, cells gained at every epoch as in `forgetting`; NaN at the first
    lost: Tensor  #: (E, N) float64, likewise
    overlap: (
        Tensor  #: (N,) float64, 0 ... 1: `concept_overlap` with a twin; NaN where no redraw has a concept
    )


def still_maps(
    entropy: Any,
    noise: Any,
    foreground: Any,
    cells: Mapping[str, Any],
    *,
    margin: float = 0.2,
    scope: str = "dataset",
    redraws: int = 50,
    seed: int,
) -> dict[str, StillMaps]:
    """Gains, losses and overlap of maps that never change, measured with noise; for each kind of cells.

    entropy: (N, g, g) nats, the maps of the last epoch; noise: (E, N, R, g, g) nats, that of every epoch (`redraw`);
    foreground: (N, g, g) bool; cells: kind -> (N, g, g) bool, the cells that are looked at. Epochs err alike as far as
    they met the same random numbers, as in `noise_ceiling`. The twin is the same network measured once more with other
    random numbers: both maps of a pair are redraws of the last epoch, so that they differ as two measurements do, by
    the noise of both. Networks measured with the same random numbers err alike and overlap more than such twins.

    Own definition, after `noise_ceiling`. Raises InputError as `redraw` and `concept_cells` do.
    """
    positive_count("redraws", redraws)
    entropy = finite_entropy(entropy)
    noise = torch.as_tensor(noise)
    if entropy.ndim != 3 or noise.ndim != 5:
        raise InputError(
            "still_maps takes one epoch's maps (N, g, g) and the noise (E, N, R, g, g) of all; got "
            f"{tuple(entropy.shape)} and {tuple(noise.shape)}."
        )
    still = entropy.expand(len(noise), *entropy.shape)
    copies: Iterator[Tensor] = (
        concept_cells(copy, foreground, margin, scope)
        for copy in redraw(still, noise=noise, redraws=redraws + 1, seed=seed)
    )
    found: dict[str, list[tuple[Tensor, ...]]] = {kind: [] for kind in cells}
    for one, twin in pairwise(copies):
        for kind, looked_at in cells.items():
            changes = forgetting(one, looked_at)
            found[kind].append((changes.gained, changes.lost, concept_overlap(one[-1], twin[-1], looked_at)))
    return {kind: _means(values) for kind, values in found.items()}


def _means(values: list[tuple[Tensor, ...]]) -> StillMaps:
    gained, lost, overlap = (torch.stack(each).double().nanmean(0) for each in zip(*values, strict=True))
    gained[0] = lost[0] = float("nan")  # nothing goes before the first epoch
    return StillMaps(gained, lost, overlap)

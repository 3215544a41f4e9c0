"""Which concepts come and go over the epochs, and which of those ever learned are kept."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import bool_maps
from kdprobe.metrics.stability import stability


class Forgetting(NamedTuple):
    """Numbers of cells at every epoch, each (E, N) int64, 0 ... g²; S_k are the concept cells at epoch k."""

    present: Tensor  #: |S_k|
    gained: Tensor  #: |S_k - S_(k-1)|; at the first epoch |S_0|
    lost: Tensor  #: |S_(k-1) - S_k|; at the first epoch 0
    ever: Tensor  #: |S_1 ∪ ... ∪ S_k|; with `initial` S_0 is in it


class LearnedSets(NamedTuple):
    """Concept cells at the end of the training, each (N, g, g) bool; kept and discarded make up learned."""

    learned: Tensor  #: S_1 ∪ ... ∪ S_M: ever a concept
    kept: Tensor  #: S_M: still one at the last epoch
    discarded: Tensor  #: learned, not kept: the detours


def forgetting(concepts_by_epoch: Any, cells: Any, initial: bool = False) -> Forgetting:
    """How many concepts each epoch brings and takes, counted on `cells`.

    concepts_by_epoch: (M+1, N, g, g) bool, epochs 0 ... M; cells: (N, g, g) bool, the cells that are looked at
    (the foreground, or what is not). Epoch 0 does not enter `ever`, as it does not enter rho, unless `initial`
    says so: then ever is at the last epoch what rho divides by. At every epoch k ≥ 1 present_k = present_(k-1)
    + gained_k - lost_k. A cell that flickers is gained and lost each time, by the estimator's noise too: hold
    the numbers against those of maps that never change (`still_maps`). Own definition, in the terms of rho
    (arXiv 2003.03622).

    Raises InputError for other types or shapes and for no epoch.
    """
    held = _held(concepts_by_epoch, cells)
    before = torch.cat([torch.zeros_like(held[:1]), held[:-1]])
    counted = held.clone()
    if not initial:
        counted[0] = False
    return Forgetting(
        present=_sizes(held),
        gained=_sizes(held & ~before),
        lost=_sizes(before & ~held),
        ever=_sizes(counted.cumsum(0) > 0),
    )


def learned_sets(concepts_by_epoch: Any, cells: Any) -> LearnedSets:
    """The cells that were ever a concept, those that still are at the last epoch, and those given up.

    concepts_by_epoch: (M, N, g, g) bool, the epochs that enter rho, 1 ... M by default; cells: (N, g, g) bool,
    as for `forgetting`. On the foreground the sizes of kept and learned are those whose ratio is rho
    (`stability`). Raises InputError for other types or shapes and for no epoch.
    """
    held = _held(concepts_by_epoch, cells)
    learned = held.any(0)
    return LearnedSets(learned=learned, kept=held[-1], discarded=learned & ~held[-1])


def stability_so_far(concepts_by_epoch: Any, foreground: Any, empty: str = "skip") -> Tensor:
    """rho of every image had the training ended at each epoch, (M, N) float64, 0 ... 1.

    Row k - 1 is |S_k| / |S_1 ∪ ... ∪ S_k|, `stability` with M = k. The first row is 1 where anything was
    learned, and rows are comparable between networks at equal epochs only: the more epochs, the more has had
    time to be given up. Arguments, NaN of images without any concept so far, and errors as in `stability`.
    """
    concepts = bool_maps(concepts_by_epoch, "concepts_by_epoch")
    stability(
        concepts, foreground, empty
    )  # refuses what does not fit, also where the loop would not get to it
    return torch.stack(
        [stability(concepts[:last], foreground, empty).per_image for last in range(1, len(concepts) + 1)]
    )


def _held(concepts_by_epoch: Any, cells: Any) -> Tensor:
    """(E, N, g, g) bool: concepts on the cells that are looked at."""
    concepts = bool_maps(concepts_by_epoch, "concepts_by_epoch")
    if concepts.ndim != 4 or len(concepts) == 0:
        raise InputError(
            f"concepts_by_epoch must have the shape (E, N, g, g) with E ≥ 1; got {tuple(concepts.shape)}."
        )
    return concepts & bool_maps(cells, "cells", concepts.shape[1:])


def _sizes(sets: Tensor) -> Tensor:
    return sets.sum((-2, -1))

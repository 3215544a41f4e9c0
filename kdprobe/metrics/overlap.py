"""How far two networks hold the same concepts, and who had the shared ones first."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import bool_maps

NEVER = -1  #: in `first_epoch`


class WhoFirst(NamedTuple):
    """Shares of the cells that two networks hold at the end, each (N,) float64, 0 ... 1; they add up to 1.

    NaN for an image in which neither holds any. The first three are NaN everywhere if fewer than two epochs were kept
    of both networks: nothing is then known of the order.
    """

    one_first: Tensor  #: held by both, and the one network had it earlier
    other_first: Tensor  #: held by both, and the other network had it earlier
    together: Tensor  #: held by both since the same of the epochs compared
    one_alone: Tensor  #: held by the one network only
    other_alone: Tensor  #: held by the other network only


def concept_overlap(concepts: Any, others: Any, cells: Any) -> Tensor:
    """Intersection over union of two concept sets of every image, (..., N) float64, 0 ... 1 (Jaccard's index).

    concepts: (..., N, g, g) bool; others: the same shape, or (N, g, g) held against all leading indices
    (epochs); cells: (N, g, g) bool, the cells that are looked at. NaN where both sets are empty. Sets of which
    each fills half of the cells overlap by a third if they have nothing to do with each other: read it beside
    `chance_overlap`. Raises InputError for other types or shapes.
    """
    concepts, others = _two_sets(concepts, others, cells)
    shared, union = (concepts & others).sum((-2, -1)), (concepts | others).sum((-2, -1))
    return torch.where(union > 0, shared / union.clamp(min=1).double(), float("nan"))


def chance_overlap(concepts: Any, others: Any, cells: Any) -> Tensor:
    """The overlap to expect of sets as large as these, were one of them strewn over the cells at random.

    Arguments, shape and NaN as in `concept_overlap`. With a and b cells held out of c looked at, the number of
    shared ones is hypergeometric; the expectation of k / (a + b - k) is summed over it exactly.
    """
    concepts, others = _two_sets(concepts, others, cells)
    sizes = [each.sum((-2, -1)).numpy() for each in torch.broadcast_tensors(concepts, others)]
    total = np.broadcast_to(bool_maps(cells, "cells").sum((-2, -1)).numpy(), sizes[0].shape)
    triples = np.stack([total, *sizes], -1).reshape(-1, 3)
    expected = [_expected_overlap(*map(int, triple)) for triple in triples]
    return torch.tensor(expected, dtype=torch.float64).reshape(sizes[0].shape)


@lru_cache(maxsize=4096)
def _expected_overlap(total: int, one: int, other: int) -> float:
    if one + other == 0:
        return float("nan")
    from scipy import stats  # here, since it takes longer to import than all metrics together to compute

    shared = np.arange(max(0, one + other - total), min(one, other) + 1)
    return float(stats.hypergeom(total, one, other).pmf(shared) @ (shared / (one + other - shared)))


def first_epoch(concepts_by_epoch: Any, epochs: Sequence[int]) -> Tensor:
    """(N, g, g) int64: the first of `epochs` at which a cell is a concept; -1 where it never is.

    concepts_by_epoch: (E, N, g, g) bool; epochs: E rising numbers ≥ 0, those that were looked at, counted from
    the start of the network's own analysed stage. Raises InputError for other types, shapes or numbers.
    """
    concepts = bool_maps(concepts_by_epoch, "concepts_by_epoch")
    numbers = list(epochs)
    if concepts.ndim != 4 or len(concepts) == 0 or len(numbers) != len(concepts):
        raise InputError(
            f"concepts_by_epoch must have the shape (E, N, g, g) with one of the {len(numbers)} epochs for each; got "
            f"{tuple(concepts.shape)}."
        )
    if numbers != sorted(set(numbers)) or numbers[0] < 0:
        raise InputError(f"epochs must be rising numbers of 0 or more; got {numbers}.")
    missed = (concepts.cumsum(0) == 0).sum(0)
    return torch.tensor([*numbers, NEVER])[missed]


def who_first(
    concepts_by_epoch: Any,
    epochs: Sequence[int],
    other_by_epoch: Any,
    other_epochs: Sequence[int],
    cells: Any,
) -> WhoFirst:
    """Of the concepts that either network holds at its last epoch: which are shared, and who had these first.

    concepts_by_epoch: (E, N, g, g) bool of the one network at `epochs` (E,), other_by_epoch: (F, N, g, g) of
    the other at `other_epochs`; cells: (N, g, g) bool, the cells that are looked at. Time is the number of
    epochs since the start of each network's own analysed stage (`first_epoch`), not a share of it: an epoch is
    one pass over the data in both. Only the epochs that were kept of both are compared: one that is looked at
    more often would be seen to have everything earlier. A cell held at a network's last epoch, but at none of
    these, came after them. Had is had for the first time, whether or not it was given up in between. Unless
    fewer than two epochs are common, the shares of the shared cells add up to `concept_overlap` of the two last
    epochs. Own definition.

    Raises InputError for other types, shapes or epochs.
    """
    common = sorted(set(epochs) & set(other_epochs))
    here = _first_of(common, concepts_by_epoch, epochs)
    there = _first_of(common, other_by_epoch, other_epochs)
    last, other_last = _two_sets(
        torch.as_tensor(concepts_by_epoch)[-1], torch.as_tensor(other_by_epoch)[-1], cells
    )
    both = last & other_last
    size = (last | other_last).sum((-2, -1)).double()
    size = torch.where(size > 0, size, float("nan"))
    order = [both & (here < there), both & (here > there), both & (here == there)]
    shares = [part.sum((-2, -1)) / size for part in (*order, last & ~both, other_last & ~both)]
    if len(common) < 2:
        shares[:3] = [torch.full_like(size, float("nan"))] * 3
    return WhoFirst(*shares)


def _first_of(common: Sequence[int], concepts_by_epoch: Any, epochs: Sequence[int]) -> Tensor:
    """(N, g, g): place among the `common` epochs of the first at which a cell is a concept, their number if none."""
    first_epoch(concepts_by_epoch, epochs)  # refuses what does not fit
    places = [list(epochs).index(epoch) for epoch in common]
    return (torch.as_tensor(concepts_by_epoch)[places].cumsum(0) == 0).sum(0)


def _two_sets(concepts: Any, others: Any, cells: Any) -> tuple[Tensor, Tensor]:
    concepts, others = bool_maps(concepts, "concepts"), bool_maps(others, "others")
    if others.shape != concepts.shape:
        others = bool_maps(others, "others", concepts.shape[-3:])
    cells = bool_maps(cells, "cells", concepts.shape[-3:])
    return concepts & cells, others & cells

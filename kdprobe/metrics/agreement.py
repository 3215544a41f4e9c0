"""Do networks trained from other seeds end with the same concepts?"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import bool_maps
from kdprobe.metrics.overlap import chance_overlap, concept_overlap


def seed_agreement(
    concepts: Sequence[Any], cells: Sequence[Any], ids: Sequence[Sequence[str]]
) -> tuple[Tensor, Tensor]:
    """(overlap, chance), each (K,) float64, 0 ... 1: of every image that two seeds have, in the order of first sight.

    concepts: one (N_s, g, g) bool map per seed s, N_s may differ; cells: the same shapes, the cells that are
    looked at; ids: the names of the images, by which they are matched. The overlap of an image is the mean of
    `concept_overlap` over all pairs of seeds that have it and of which at least one holds a concept there (NaN
    if there is none such pair); chance is the mean of `chance_overlap` over the same pairs. The mean over
    images is the agreement. Images, and not pairs, weigh alike.

    Raises InputError if the three lists do not fit, and for an id that a seed has twice.
    """
    if not len(concepts) == len(cells) == len(ids):
        raise InputError(
            f"Every seed needs concepts, cells and ids; got {len(concepts)}, {len(cells)} and {len(ids)} of them."
        )
    maps = [bool_maps(each, "concepts") for each in concepts]
    masks = [bool_maps(each, "cells", maps[seed].shape) for seed, each in enumerate(cells)]
    for each, names in zip(maps, ids, strict=True):
        if each.ndim != 3 or len(names) != len(each) or len(set(names)) != len(names):
            raise InputError(
                f"concepts must have the shape (N, g, g) and ids N different names; got {tuple(each.shape)} and "
                f"{len(set(names))} different names."
            )
    found: dict[str, list[tuple[float, float]]] = {}
    for one, two in combinations(range(len(maps)), 2):
        places = {name: place for place, name in enumerate(ids[two])}
        shared = [(place, places[name], name) for place, name in enumerate(ids[one]) if name in places]
        if not shared:
            continue
        here, there, names = zip(*shared, strict=True)
        here, there = list(here), list(there)
        looked_at = masks[one][here] | masks[two][there]
        first, second = maps[one][here] & masks[one][here], maps[two][there] & masks[two][there]
        overlap = concept_overlap(first, second, looked_at).tolist()
        chance = chance_overlap(first, second, looked_at).tolist()
        for name, *pair in zip(names, overlap, chance, strict=True):
            found.setdefault(name, []).append(tuple(pair))
    means = [_mean_of_pairs(pairs) for pairs in found.values()]
    values = torch.tensor(means, dtype=torch.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _mean_of_pairs(pairs: list[tuple[float, float]]) -> list[float]:
    return torch.tensor(pairs, dtype=torch.float64).nanmean(0).tolist()

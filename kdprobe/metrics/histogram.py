"""How the entropies of chosen cells are distributed."""

from typing import Any

import numpy as np
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import bool_maps, finite_entropy


def entropy_histogram(entropy: Any, cells: Any, width: float = 0.05) -> tuple[list[float], list[int]]:
    """(edges, counts): K + 1 edges in nats and the number of the chosen cells in each of the K bins between them.

    entropy: (N, g, g) nats; cells: (N, g, g) bool, those that are counted. width: of a bin, nats, > 0. The
    edges are whole multiples of the width, so that histograms of several networks, seeds or kinds of cells lie
    on one grid and can be added; a bin holds its lower edge, not the upper one, and there are no bins beyond
    the first and last that hold anything. Without any cell ([], []). Raises InputError for NaN or infinite
    entropies, other types or shapes, and a width that is not above 0.
    """
    if not 0 < width < float("inf"):
        raise InputError(f"width must be a finite number of nats above 0; got {width!r}.")
    entropy = finite_entropy(entropy)
    chosen: Tensor = entropy[bool_maps(cells, "cells", entropy.shape)]
    if len(chosen) == 0:
        return [], []
    low, high = np.floor(float(chosen.min()) / width), np.floor(float(chosen.max()) / width)
    # One bin more on each side: rounding may put an extreme there, and numpy's last bin holds its upper edge.
    edges = np.round(width * np.arange(low - 1, high + 4), 12)
    counts, _ = np.histogram(chosen.numpy(), edges)
    first, last = counts.nonzero()[0][[0, -1]]
    return edges[first : last + 2].tolist(), counts[first : last + 1].tolist()

"""The per-image values of every metric, from the entropy maps of all epochs."""

from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.concepts import concept_cells, count_concepts, relevance_ratio
from kdprobe.metrics.learning import learning_distance
from kdprobe.metrics.stability import stability


def image_values(
    entropy_by_epoch: Any,
    foreground: Any,
    path: Any,
    *,
    margin: float = 0.2,
    scope: str = "dataset",
    empty: str = "skip",
    initial: bool | str = False,
    path_lag: int = 0,
) -> dict[str, Tensor]:
    """Name of the metric -> (N,) float64, NaN where an image has no value; the names are those of METRICS.

    entropy_by_epoch: (M, N, g, g) nats at epochs 1 ... M, or with `initial` (M+1, N, g, g) from epoch 0 on, which
    then enters D and rho as in the released code (True), or rho alone, as there for ResNets ("rho"); foreground:
    (N, g, g) bool; path: (M+1,) of `weight_path`. N_fg, N_bg and lambda are those at epoch M. The three learning
    distances share their per-image values and differ in the statistic taken of them. Options and errors as in the
    functions that it calls.
    """
    concepts = concept_cells(entropy_by_epoch, foreground, margin, scope)
    return concept_values(concepts, foreground, path, empty=empty, initial=initial, path_lag=path_lag)


def concept_values(
    concepts_by_epoch: Any,
    foreground: Any,
    path: Any,
    *,
    empty: str = "skip",
    initial: bool | str = False,
    path_lag: int = 0,
) -> dict[str, Tensor]:
    """The same from the concepts (M, N, g, g) bool of these epochs, as `concept_cells` finds them."""
    if initial not in (False, True, "rho"):
        raise InputError(f"initial must be true, false or rho (rho alone); got {initial!r}.")
    n_foreground, n_background = count_concepts(concepts_by_epoch, foreground)
    late = initial == "rho"
    distance = learning_distance(
        n_foreground[1:] if late else n_foreground,
        path,
        empty=empty,
        initial=bool(initial) and not late,
        path_lag=path_lag,
    ).per_image
    return {
        "n_foreground": n_foreground[-1].to(torch.float64),
        "n_background": n_background[-1].to(torch.float64),
        "relevance_ratio": relevance_ratio(n_foreground[-1], n_background[-1], empty).per_image,
        "learning_distance_mean": distance,
        "learning_distance_std": distance,
        "learning_distance_var": distance,
        "stability": stability(concepts_by_epoch, foreground, empty).per_image,
    }

"""What the estimator's own noise does to the metrics.

A measured entropy map is one draw of a noisy estimate whose standard error per cell is known
(`EntropyResult`). Adding fresh Gaussian noise of that size to the maps and computing the metrics again shows
how far the metrics move by the estimator's noise alone. The noise of cells, epochs and images is drawn
independently; noise that epochs or networks share (common random numbers) cancels in part, so the intervals
err on the wide side.
"""

from collections.abc import Iterator
from math import isnan
from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import finite_entropy, positive_count
from kdprobe.metrics.concepts import concept_cells
from kdprobe.metrics.per_image import image_values
from kdprobe.metrics.stability import stability


def redraw(entropy: Any, std_error: Any, *, redraws: int, seed: int) -> Iterator[Tensor]:
    """Noisy copies of `entropy`, `redraws` of them, one at a time: entropy + std_error * e with e ~ N(0, 1).

    entropy: (..., N, g, g) nats, the copies float64 of this shape; std_error: nats, ≥ 0, a number or a shape
    that broadcasts to entropy's. The same seed gives the same copies; the first do not depend on `redraws`.
    Raises InputError (before the first copy) for NaN or infinite entropies and for standard errors that are
    negative, not finite or do not fit.
    """
    positive_count("redraws", redraws)
    entropy = finite_entropy(entropy)
    std_error = _checked_error(std_error, entropy)

    def copies() -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        for _ in range(redraws):
            yield entropy + std_error * torch.randn(entropy.shape, generator=generator, dtype=torch.float64)

    return copies()


def _checked_error(std_error: Any, entropy: Tensor) -> Tensor:
    std_error = torch.as_tensor(std_error).detach().cpu().to(torch.float64)
    if not bool(torch.isfinite(std_error).all()) or bool((std_error < 0).any()):
        raise InputError(
            "std_error must be finite and ≥ 0 in every cell, got others; leave out unusable images."
        )
    try:
        return std_error.expand(entropy.shape)
    except RuntimeError as error:
        raise InputError(
            f"std_error must fit the entropy's shape {tuple(entropy.shape)}; got {tuple(std_error.shape)}."
        ) from error


def noise_ceiling(
    entropy: Any,
    std_error: Any,
    foreground: Any,
    *,
    epochs: int,
    margin: float = 0.2,
    scope: str = "dataset",
    empty: str = "skip",
    redraws: int = 20,
    seed: int,
) -> float:
    """The stability, 0 ... 1, that never-changing maps would show if measured with noise at `epochs` epochs.

    entropy, std_error: (N, g, g) nats, those of the last epoch; foreground: (N, g, g) bool. A measured
    stability near this number says that no detours were seen. Mean over `redraws` repeats; NaN if no image
    has a foreground concept.
    """
    positive_count("epochs", epochs)
    entropy = finite_entropy(entropy)
    if entropy.ndim != 3:
        raise InputError(f"noise_ceiling takes one epoch's maps (N, g, g); got {tuple(entropy.shape)}.")
    still = entropy.expand(epochs, *entropy.shape)
    values = [
        stability(concept_cells(noisy, foreground, margin, scope), foreground, empty).mean
        for noisy in redraw(still, std_error, redraws=redraws, seed=seed)
    ]
    values = [value for value in values if not isnan(value)]
    return sum(values) / len(values) if values else float("nan")


def noise_redraws(
    entropy_by_epoch: Any,
    std_error: Any,
    foreground: Any,
    path: Any,
    *,
    margin: float = 0.2,
    scope: str = "dataset",
    empty: str = "skip",
    redraws: int = 50,
    seed: int,
) -> dict[str, Tensor]:
    """Name of the metric -> (R, N) float64: its per-image values (`image_values`) in R = `redraws` copies.

    entropy_by_epoch, std_error: (M, N, g, g) nats at epochs 1 ... M; foreground: (N, g, g) bool; path:
    (M+1,). NaN where an image has no value in a copy. Made for the `noise` arguments of
    `kdprobe.metrics.inference`.
    """
    rows = [
        image_values(noisy, foreground, path, margin=margin, scope=scope, empty=empty)
        for noisy in redraw(entropy_by_epoch, std_error, redraws=redraws, seed=seed)
    ]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

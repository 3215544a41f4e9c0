"""What the estimator's own noise does to the metrics.

A measured entropy map is one draw of a noisy estimate. Its noise is known (`EntropyResult.noise`): R deviations such
that entropy + sum_r xi_r noise_r, xi_r ~ N(0, 1), is a map as another draw might have given it. Computing the metrics
on such redraws shows how far the estimator's noise alone moves them.

**Cells are correlated**, since they share the noise samples and sigma_f²: counts spread more than cells that err one by
one would let them, and that is in the deviations.

**Epochs and networks are correlated**, since those measured with one seed meet the same random numbers (common random
numbers): the same r stands for the same ones everywhere. So one xi is drawn for each image and r, and it serves all
epochs in a redraw; it depends on the seed of the redraws, their index, the place of the image and r alone, so that
redraws of two networks with one seed share it too, and what they have in common cancels in differences.

Where only standard errors are known (maps of an older kdprobe), every cell, image and epoch errs by itself. Counts
then vary too little, changes over the epochs too much. Networks must then be redrawn with different seeds, else
their independent noises would be taken for shared ones.
"""

from collections.abc import Iterator
from math import isnan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import finite_entropy, positive_count
from kdprobe.metrics.concepts import concept_cells
from kdprobe.metrics.per_image import image_values
from kdprobe.metrics.stability import stability


def redraw(
    entropy: Any, std_error: Any = None, *, noise: Any = None, redraws: int, seed: int
) -> Iterator[Tensor]:
    """Noisy copies of `entropy`, `redraws` of them, one at a time.

    entropy: (..., N, g, g) nats, the copies float64 of this shape. With noise (..., N, R, g, g), nats, a copy is
    entropy + sum_r xi_r noise_r, one xi ~ N(0, 1) for each image and r, the same at all leading indices (epochs);
    std_error is then not used. With std_error alone (nats, ≥ 0, a number or a shape that broadcasts to entropy's) a
    copy is entropy + std_error * e, one e ~ N(0, 1) for every cell.

    The same seed gives the same copies; the first do not depend on `redraws`, and xi does not depend on R, so that
    deviations of 0 may be added. Raises InputError (before the first copy) for NaN or infinite entropies and for
    noise or standard errors that are missing, not finite or do not fit.
    """
    positive_count("redraws", redraws)
    entropy = finite_entropy(entropy)
    if noise is not None:
        return _shared(entropy, _checked_noise(noise, entropy), redraws, seed)
    if std_error is None:
        raise InputError("A redraw needs the noise of the maps, or at least their std_error; give one.")
    return _cell_by_cell(entropy, _checked_error(std_error, entropy), redraws, seed)


def _shared(entropy: Tensor, noise: Tensor, redraws: int, seed: int) -> Iterator[Tensor]:
    images, sources = noise.shape[-4:-2]
    for index in range(redraws):
        copy = entropy.clone()
        for source in range(sources):
            # A generator for each: what the others draw, and how many they are, does not matter.
            generator = np.random.default_rng([seed % 2**64, index, source])
            xi = torch.from_numpy(generator.standard_normal(images))
            copy += xi[:, None, None] * noise[..., source, :, :]
        yield copy


def _cell_by_cell(entropy: Tensor, std_error: Tensor, redraws: int, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(redraws):
        yield entropy + std_error * torch.randn(entropy.shape, generator=generator, dtype=torch.float64)


def _checked_noise(noise: Any, entropy: Tensor) -> Tensor:
    noise = torch.as_tensor(noise).detach().cpu()
    shape = tuple(entropy.shape)
    if noise.ndim != len(shape) + 1 or (*noise.shape[:-3], *noise.shape[-2:]) != shape:
        wanted = ", ".join([*map(str, shape[:-2]), "R", *map(str, shape[-2:])])
        raise InputError(
            f"noise must have the shape ({wanted}) to fit the entropy's; got {tuple(noise.shape)}."
        )
    if not bool(torch.isfinite(noise).all()):
        raise InputError("noise must be finite in every cell, got others; leave out unusable images.")
    return noise


def _checked_error(std_error: Any, entropy: Tensor) -> Tensor:
    std_error = torch.as_tensor(std_error, dtype=torch.float64).detach().cpu()
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
    noise: Any = None,
    epochs: int,
    margin: float = 0.2,
    scope: str = "dataset",
    empty: str = "skip",
    redraws: int = 20,
    seed: int,
) -> float:
    """The stability, 0 ... 1, that never-changing maps would show if measured with noise at `epochs` epochs.

    entropy: (N, g, g) nats, the maps of the last epoch; foreground: (N, g, g) bool; noise: (epochs, N, R, g, g)
    nats, that of every epoch measured, or instead std_error, which broadcasts to (epochs, N, g, g). With `noise` the
    epochs err alike as far as they met the same random numbers, which raises the ceiling; see `redraw`. A measured
    stability near this number says that no detours were seen. Mean over `redraws` repeats; NaN if no image has a
    foreground concept. `scope` and `empty` must be those of the stability that it is compared with.
    """
    positive_count("epochs", epochs)
    entropy = finite_entropy(entropy)
    if entropy.ndim != 3:
        raise InputError(f"noise_ceiling takes one epoch's maps (N, g, g); got {tuple(entropy.shape)}.")
    still = entropy.expand(epochs, *entropy.shape)
    values = [
        stability(concept_cells(noisy, foreground, margin, scope), foreground, empty).mean
        for noisy in redraw(still, std_error, noise=noise, redraws=redraws, seed=seed)
    ]
    values = [value for value in values if not isnan(value)]
    return sum(values) / len(values) if values else float("nan")


def noise_redraws(
    entropy_by_epoch: Any,
    std_error: Any,
    foreground: Any,
    path: Any,
    *,
    noise: Any = None,
    margin: float = 0.2,
    scope: str = "dataset",
    empty: str = "skip",
    initial: bool | str = False,
    path_lag: int = 0,
    redraws: int = 50,
    seed: int,
) -> dict[str, Tensor]:
    """Name of the metric -> (R, N) float64: its per-image values (`image_values`) in R = `redraws` copies.

    entropy_by_epoch: (M, N, g, g) nats at epochs 1 ... M (with `initial` from epoch 0 on); std_error and noise as for
    `redraw` (with noise, std_error may be None); foreground: (N, g, g) bool; path: (M+1,). NaN where an image has no
    value in a copy. Options as in `image_values`. Made for the `noise` arguments of `kdprobe.metrics.inference`.
    """
    rows = [
        image_values(
            noisy,
            foreground,
            path,
            margin=margin,
            scope=scope,
            empty=empty,
            initial=initial,
            path_lag=path_lag,
        )
        for noisy in redraw(entropy_by_epoch, std_error, noise=noise, redraws=redraws, seed=seed)
    ]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

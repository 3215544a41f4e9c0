"""Per-image values of one or two networks, checked, paired and brought into an order of their own."""

from typing import Any

import numpy as np
import torch

from kdprobe.errors import InputError

STATISTICS = ("mean", "std", "var")


def image_columns(values: list, noises: list) -> tuple[list, list, np.ndarray]:
    """Columns (n,), noises (None or (R, n)) and the places (n,) of the images that have a value in all columns.

    values: K columns (N,) of the same N images, NaN where an image has none; noises: for each None or (R, N). The
    images come sorted by all that is known of them, so that neither draws nor sums depend on the given order. Raises
    InputError for infinite values and for shapes or numbers of redraws that do not fit.
    """
    columns = [_values(column) for column in values]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise InputError(f"A paired difference needs the same images in both; got {lengths} values.")
    noises = [None if noise is None else _redraws(noise, lengths[0]) for noise in noises]
    redraws = [len(noise) for noise in noises if noise is not None]
    if len(set(redraws)) > 1:
        raise InputError(
            f"Redraws of both networks enter together; got {redraws}: redraw both equally often."
        )
    valid = np.flatnonzero(~np.isnan(sum(columns)))
    keys = [*columns, *(row for noise in noises if noise is not None for row in noise)]
    places = valid[np.lexsort([key[valid] for key in keys[::-1]])]
    return (
        [column[places] for column in columns],
        [None if noise is None else noise[:, places] for noise in noises],
        places,
    )


def _values(values: Any) -> np.ndarray:
    values = torch.as_tensor(values, dtype=torch.float64).detach().cpu().numpy()
    if values.ndim != 1 or np.isinf(values).any():
        raise InputError(
            f"Per-image values must be (N,), finite or NaN; got the shape {values.shape} or infinite values."
        )
    return values


def _redraws(noise: Any, images: int) -> np.ndarray:
    noise = torch.as_tensor(noise, dtype=torch.float64).detach().cpu().numpy()
    if noise.ndim != 2 or len(noise) == 0 or noise.shape[1] != images or np.isinf(noise).any():
        raise InputError(
            f"Noise redraws must be (R, {images}), finite or NaN; got shape {noise.shape} or infinite values."
        )
    return noise

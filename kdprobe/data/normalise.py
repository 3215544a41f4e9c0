"""Normalise pixels: all at once, or only those rows that are taken."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def column(values: Sequence[float]) -> Tensor:
    """(C, 1, 1) float32 of one value per channel."""
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(..., C, H, W) float32 of `pixels` (uint8 in 0 ... 255 or floating point in 0 ... 1)."""
    values = pixels.to(torch.float32, copy=True)  # then in place: large sets must not lie there four times
    if pixels.dtype == torch.uint8:
        values.div_(255)
    return values.sub_(column(mean)).div_(column(std))


class NormalisedRows:
    """The N images of a set, normalised when taken: ``rows[index]``, ``rows.split(n)``, ``len(rows)``.

    Gives the same values as the whole normalised tensor, without its memory (four times that of bytes). What
    is taken is a new tensor, safe to write to.
    """

    def __init__(self, pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> None:
        self._pixels = pixels
        self._mean, self._std = tuple(mean), tuple(std)
        self.shape = pixels.shape

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: Any) -> Tensor:
        return normalise(self._pixels[index], self._mean, self._std)

    def split(self, size: int) -> Iterator[Tensor]:
        """Batches of `size` rows in order, each made when it is asked for."""
        return (self[start : start + size] for start in range(0, len(self), size))

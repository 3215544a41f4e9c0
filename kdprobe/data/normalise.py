"""Normalise pixels: all at once, or only those rows that are taken."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def column(values: Sequence[float]) -> Tensor:
    """(C, 1, 1) float32 of one value per channel."""
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(..., C, H, W) float32 of `pixels` (uint8 in 0 ... 255 or floating point in 0 ... 1), where they are."""
    values = pixels.to(torch.float32, copy=True)  # then in place: large sets must not lie there four times
    if pixels.dtype == torch.uint8:
        # a tensor beside the pixels: on a GPU division by a number is a product, which rounds otherwise
        values.div_(torch.tensor(255.0, device=pixels.device))
    return values.sub_(column(mean).to(pixels.device)).div_(column(std).to(pixels.device))


class NormalisedRows:
    """The N images of a set, normalised when taken: ``rows[index]``, ``rows.split(n)``, ``len(rows)``.

    Gives the same values as the whole normalised tensor, without its memory (four times that of bytes). What
    is taken is a new tensor, safe to write to, on `device` (default: where the pixels are).
    """

    def __init__(
        self,
        pixels: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device | str | None = None,
    ) -> None:
        self._pixels = pixels
        self._mean, self._std = tuple(mean), tuple(std)
        self._device = pixels.device if device is None else device
        self.shape = pixels.shape

    def on(self, device: torch.device | str) -> "NormalisedRows":
        """The same rows, normalised on `device`: the pixels stay, and go there as they are when they are taken."""
        return NormalisedRows(self._pixels, self._mean, self._std, device)

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: Any) -> Tensor:
        return normalise(self._pixels[index].to(self._device), self._mean, self._std)

    def split(self, size: int) -> Iterator[Tensor]:
        """Batches of `size` rows in order, each made when it is asked for."""
        return (self[start : start + size] for start in range(0, len(self), size))

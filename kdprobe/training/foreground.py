"""A data set of which only the foreground is seen."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from kdprobe.data import LabelledImages
from kdprobe.errors import DataError
from kdprobe.training.pictures import on_foreground


class _Rows:
    """The normalised images with 0 in the background, made when they are taken."""

    def __init__(self, rows: Any, masks: Tensor) -> None:
        self._rows, self._masks = rows, masks

    def on(self, device: torch.device | str) -> "_Rows":
        return _Rows(self._rows.on(device), self._masks)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Tensor:
        return on_foreground(self._rows[index], self._masks[index])

    def split(self, size: int) -> Iterator[Tensor]:
        return (self[start : start + size] for start in range(0, len(self), size))


class ForegroundOnly:
    """`data` as a network sees it whose inputs are foregrounds; for `evaluate_accuracy`."""

    def __init__(self, data: LabelledImages) -> None:
        check_foregrounds(data)
        self.labels = data.labels
        self.image_shape = data.image_shape
        self.normalised = _Rows(data.normalised, data.foregrounds)

    @property
    def images(self) -> Tensor:
        return self.normalised[:]


def check_foregrounds(data: LabelledImages) -> None:
    """Raises DataError if it is not known where the foreground of the images is."""
    if data.foregrounds is None:
        raise DataError(
            f"{data.name} has no foregrounds, which this recipe shows to a network; take a data set with masks or "
            "boxes, or set data.foreground to central."
        )

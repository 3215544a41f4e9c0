"""The images that the live probe looks at, and how they are shown."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.live.counting import Counted, CountRules
from kdprobe.live.pictures import Picture, panels, stretched
from kdprobe.metrics import baseline_entropy, cells_from_mask
from kdprobe.records import EntropyResult

_AROUND = 3  #: margins above and below the mean that the colours of an entropy map span


@dataclass(frozen=True, eq=False)
class Subject:
    """N probe images, checked once."""

    images: Tensor  #: (N, C, H, W), normalised
    foreground: Tensor  #: (N, H, W) or (N, g, g) bool, as it was given
    cells: Tensor  #: (N, g, g) bool
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    shown: np.ndarray  #: (K, H, W, 3) in 0 ... 1: the first K images, for pictures

    @classmethod
    def of(
        cls,
        images: Any,
        foreground: Any,
        grid: int,
        *,
        ids: Sequence[str] | None,
        labels: Sequence[Any] | None,
        shown: int,
        display: Callable[[Tensor], np.ndarray] | None,
    ) -> "Subject":
        """Raises InputError for shapes and types that do not fit, and images without background."""
        images, foreground = torch.as_tensor(images).detach().cpu(), torch.as_tensor(foreground).cpu()
        if images.ndim != 4 or len(images) == 0 or not images.is_floating_point():
            raise InputError(
                "Expected probe images as a floating-point tensor (N, C, H, W) with N >= 1, normalised as the "
                f"model expects them, got {images.dtype} {tuple(images.shape)}."
            )
        count, pixels, cells = len(images), images.shape[-2:], (grid, grid)
        if foreground.dtype is not torch.bool or tuple(foreground.shape) not in {
            (count, *pixels),
            (count, *cells),
        }:
            raise InputError(
                f"Expected the foreground as bool of shape {(count, *pixels)} (pixels) or {(count, *cells)} (cells), "
                f"got {foreground.dtype} {tuple(foreground.shape)}."
            )
        if isinstance(shown, bool) or not isinstance(shown, int) or shown < 0:
            raise InputError(f"shown must be how many images to make pictures of, 0 or more, got {shown!r}.")
        by_cell = foreground if tuple(foreground.shape[1:]) == cells else cells_from_mask(foreground, grid)
        baseline_entropy(torch.zeros(by_cell.shape), by_cell)  # refuses images without background
        first = images[:shown]
        if display is None:
            seen = stretched(first.float().numpy())
        else:
            seen = np.array([_three_channels(np.asarray(display(image))) for image in first])
        return cls(
            images,
            foreground,
            by_cell,
            _names("ids", ids, count, [f"image {i}" for i in range(count)]),
            _names("labels", labels, count, [""] * count),
            seen,
        )

    def digest(self, *settings: Any) -> str:
        """sha256 of the images, their foreground and `settings`."""
        digest = hashlib.sha256(repr(settings).encode())
        for tensor in (self.images, self.cells):
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def pictures(
        self, network: str, result: EntropyResult, counted: Counted, rules: CountRules
    ) -> tuple[Picture, ...]:
        """Those of the first images; the colours span 3 margins below and above the epoch's mean entropy."""
        known = result.entropy[result.entropy.isfinite()]
        middle, reach = float(known.mean()) if len(known) else 0.0, _AROUND * rules.margin
        return tuple(
            Picture(
                network=network,
                image_id=self.ids[i],
                label=self.labels[i],
                epoch=counted.epoch,
                pixels=panels(
                    image,
                    self.foreground[i].numpy(),
                    result.entropy[i].numpy(),
                    counted.concepts[i].numpy(),
                    low=middle - reach,
                    high=middle + reach,
                ),
            )
            for i, image in enumerate(self.shown)
        )


def _three_channels(shown: np.ndarray) -> np.ndarray:
    if shown.ndim != 3 or shown.shape[2] not in (1, 3):
        raise InputError(f"display must make (H, W, 3) or (H, W, 1) of an image, got {shown.shape}.")
    return shown if shown.shape[2] == 3 else shown.repeat(3, 2)


def _names(what: str, given: Sequence[Any] | None, count: int, default: list[str]) -> tuple[str, ...]:
    names = tuple(default if given is None else [str(each) for each in given])
    if len(names) != count:
        raise InputError(f"{count} probe images need {count} {what}, got {len(names)}.")
    return names

"""`LabelledImages`: what every data set returns. Images lie in memory as bytes, normalised on request."""

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from kdprobe.data.normalise import NormalisedRows, column
from kdprobe.errors import InputError
from kdprobe.records import Sample

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FOREGROUND_KINDS = ("mask", "box", "central", None)


class LabelledImages(Dataset):
    """N images of one size with label, foreground and a stable id; ``data[i]`` is a `Sample`.

    Parameters
    ----------
    images: (N, C, H, W) tensor or array, uint8 in 0 ... 255 or floating point in 0 ... 1 (not normalised).
    labels: (N,) integers, indices into `classes`.
    ids: N different strings; the same image has the same id on every machine.
    classes: names of the classes.
    foregrounds: (N, H, W) bool, or None if the foreground is not known.
    foreground_kind: "mask" (pixel mask), "box", "central" (a fixed central square) or None.
    mean, std: per channel, in 0 ... 1, used for normalisation; default ImageNet's for 3 channels, else 0.5
        and 0.25. Give the training split and the test split the same values.
    left_out: (path or id, reason) of single images that could not be used.
    source_sizes: N (width, height) in pixels of what was resized to one size (the stored image or its crop).
    notes: sentences on what a reader must know of how the set was read.
    options: what the set was loaded with (JSON-able); becomes part of `describe()`.

    Raises InputError if shapes, types or ranges do not fit.
    """

    def __init__(
        self,
        *,
        name: str,
        images: torch.Tensor | np.ndarray,
        labels: Any,
        ids: Sequence[str],
        classes: Sequence[str],
        foregrounds: torch.Tensor | np.ndarray | None = None,
        foreground_kind: str | None = None,
        split: str = "train",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        left_out: Sequence[tuple[str, str]] = (),
        source_sizes: Sequence[tuple[int, int]] | None = None,
        notes: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._pixels = _checked_pixels(images)
        count, channels, height, width = self._pixels.shape
        self.name = name
        self.split = split
        self.classes = tuple(str(c) for c in classes)
        self.image_shape = (channels, height, width)
        self.labels = torch.as_tensor(labels, dtype=torch.int64)
        self.ids = tuple(str(i) for i in ids)
        self.mean = (
            tuple(float(m) for m in mean) if mean is not None else _default(IMAGENET_MEAN, 0.5, channels)
        )
        self.std = tuple(float(s) for s in std) if std is not None else _default(IMAGENET_STD, 0.25, channels)
        self.foregrounds = None if foregrounds is None else torch.as_tensor(foregrounds)
        self.foreground_kind = foreground_kind
        self.left_out = tuple((str(path), str(reason)) for path, reason in left_out)
        self.source_sizes = None if source_sizes is None else tuple((int(w), int(h)) for w, h in source_sizes)
        self.notes = tuple(notes)
        self.options = dict(options or {})
        self._check(count)

    def _check(self, count: int) -> None:
        if self.labels.shape != (count,) or len(self.ids) != count:
            raise InputError(
                f"{self.name}: {count} images need {count} labels and ids, got labels of shape "
                f"{tuple(self.labels.shape)} and {len(self.ids)} ids; give one of each per image."
            )
        if self.source_sizes is not None and len(self.source_sizes) != count:
            raise InputError(
                f"{self.name}: {count} images have {len(self.source_sizes)} source_sizes; give one per image."
            )
        if int(self.labels.min()) < 0 or int(self.labels.max()) >= len(self.classes):
            raise InputError(
                f"{self.name}: labels run from {int(self.labels.min())} to {int(self.labels.max())}, but "
                f"there are {len(self.classes)} classes; labels must be indices into classes."
            )
        if len(set(self.ids)) != count:
            double = next(i for k, i in enumerate(self.ids) if i in self.ids[:k])
            raise InputError(
                f"{self.name}: the id {double!r} occurs twice; every image needs an id of its own."
            )
        channels, height, width = self.image_shape
        if len(self.mean) != channels or len(self.std) != channels or min(self.std) <= 0:
            raise InputError(
                f"{self.name}: mean {self.mean} and std {self.std} must have {channels} entries, std above 0."
            )
        kind = self.foreground_kind
        if kind not in FOREGROUND_KINDS or (kind is None) != (self.foregrounds is None):
            raise InputError(
                f"{self.name}: foreground_kind {kind!r} does not fit; "
                "give 'mask', 'box' or 'central' together with foregrounds, or neither."
            )
        if self.foregrounds is not None and (
            self.foregrounds.shape != (count, height, width) or self.foregrounds.dtype != torch.bool
        ):
            raise InputError(
                f"{self.name}: foregrounds must be bool of shape {(count, height, width)}, got "
                f"{self.foregrounds.dtype} of shape {tuple(self.foregrounds.shape)}."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        foreground = None if self.foregrounds is None else self.foregrounds[index]
        return Sample(self.normalised[index], int(self.labels[index]), foreground, self.ids[index])

    @property
    def normalised(self) -> NormalisedRows:
        """The rows of `images`, made when they are taken: for sets that are too large as floating point."""
        return NormalisedRows(self._pixels, self.mean, self.std)

    @cached_property
    def images(self) -> torch.Tensor:
        """(N, C, H, W) float32, normalised with `mean` and `std`; made once and kept, 4 bytes a value."""
        return self.normalised[:]

    def to_display(self, image: torch.Tensor) -> np.ndarray:
        """The normalised (C, H, W) `image` as (H, W, C) float32 array in 0 ... 1."""
        shown = image.detach().to("cpu", torch.float32) * column(self.std) + column(self.mean)
        return shown.clamp(0, 1).permute(1, 2, 0).contiguous().numpy()

    def with_central_foreground(self) -> "LabelledImages":
        """The same images with a fixed central square as foreground (`foreground_kind` "central")."""
        count, (_, height, width) = len(self), self.image_shape
        square = torch.from_numpy(central_square(height, width))
        return self.replaced(
            foregrounds=square.expand(count, -1, -1),  # one square in memory for all
            foreground_kind="central",
            options={**self.options, "foreground": "central"},
        )

    def replaced(self, **changes: Any) -> "LabelledImages":
        """A set with the same pixels, changed in the parameters given (as in the constructor)."""
        names = [name for name in inspect.signature(LabelledImages).parameters if name != "images"]
        kept = {name: getattr(self, name) for name in names}
        return LabelledImages(**{"images": self._pixels, **kept, **changes})

    def describe(self) -> dict[str, Any]:
        """What the set is, in JSON-able form (goes into run.json)."""
        per_class = torch.bincount(self.labels, minlength=len(self.classes)).tolist()
        return {
            "name": self.name,
            "split": self.split,
            "options": self.options,
            "n": len(self),
            "classes": list(self.classes),
            "images_by_class": per_class,
            "image_shape": list(self.image_shape),
            "mean": list(self.mean),
            "std": list(self.std),
            "foreground_kind": self.foreground_kind,
            "left_out": len(self.left_out),
        }


def central_square(height: int, width: int) -> np.ndarray:
    """(height, width) bool: the central 75 % of each side, rows and columns 2 ... 13 of a 16 x 16 grid.

    Source: the code released with the CVPR 2020 paper does so for ILSVRC (the paper: the central 2/3). It
    fixes the cells; here pixel p belongs to the square if floor(2 H / 16) <= p < floor(14 H / 16), so that
    the cell rules `majority` and `released` find the same 144 cells, at 227 pixels too (`majority`: from 59
    pixels on and at 32, 40, 48, 56; below, its cells of 2 and 3 pixels may lie half in the square).
    """
    rows, columns = (np.arange(side) for side in (height, width))
    inside_rows = (rows >= 2 * height // 16) & (rows < 14 * height // 16)
    inside_columns = (columns >= 2 * width // 16) & (columns < 14 * width // 16)
    return inside_rows[:, None] & inside_columns[None, :]


def _checked_pixels(images: Any) -> torch.Tensor:
    pixels = torch.as_tensor(images)
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise InputError(
            f"images must have shape (N, C, H, W) with no empty side, got {tuple(pixels.shape)}."
        )
    if pixels.dtype == torch.uint8:
        return pixels
    if not pixels.dtype.is_floating_point:
        raise InputError(f"images must be uint8 (0 ... 255) or floating point (0 ... 1), got {pixels.dtype}.")
    pixels = pixels.to(torch.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"Floating-point images must lie in 0 ... 1 before normalisation, got {low:.3g} ... {high:.3g}; "
            "hand over the raw images, mean and std instead of normalised images."
        )
    return pixels


def _default(rgb: tuple[float, ...], other: float, channels: int) -> tuple[float, ...]:
    return rgb if channels == 3 else (other,) * channels

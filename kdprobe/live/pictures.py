"""Concept maps as pixels, small and without a plotting library: they are made in the middle of a training."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from kdprobe.errors import InputError
from kdprobe.records import Record

#: viridis (Smith and van der Walt, 2015; dark: low) at even steps: perceptually uniform, safe for colour-blind readers
_ANCHORS = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    dtype=float,
)
_MISSING = (187, 187, 187)
_ON, _BESIDE = np.array((0, 114, 178.0)), np.array((230, 159, 0.0))  # Okabe and Ito's blue and orange
_COVER = 0.72  #: how much of a concept cell its colour covers
_SIDE = 96  #: pixels that a panel has at least
_GAP = 4  #: white pixels between two panels


@dataclass(frozen=True, eq=False)
class Picture(Record):
    """One probe image as a network sees it: image with its foreground outlined, entropy, concept cells."""

    network: str
    image_id: str
    label: str  #: "" if it is not known
    epoch: int  #: epochs completed, counted over all stages
    pixels: Any  #: (h, w, 3) uint8 array, the three panels side by side


def png_bytes(picture: Picture) -> bytes:
    """The picture as a PNG file."""
    file = BytesIO()
    Image.fromarray(picture.pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def panels(
    image: np.ndarray,
    foreground: np.ndarray,
    entropy: np.ndarray,
    concepts: np.ndarray,
    *,
    low: float,
    high: float,
) -> np.ndarray:
    """(h, w, 3) uint8: image with the outline of the foreground | entropy map | concept cells, side by side.

    image: (H, W, 3) in 0 ... 1. foreground: bool, of the image's pixels (H, W) or of its cells (g, g). entropy: (g, g)
    nats, coloured from `low` (dark) to `high`; NaN is grey. concepts: (g, g) bool, blue where most of the cell is
    foreground, else orange, over the paled image. Every panel is the image enlarged by a whole number.

    Raises InputError for shapes that do not fit.
    """
    grid = concepts.shape[0]
    if image.ndim != 3 or image.shape[2] != 3 or entropy.shape != concepts.shape or entropy.ndim != 2:
        raise InputError(
            "A picture needs an image (H, W, 3) and two maps (g, g), got "
            f"{image.shape}, {entropy.shape} and {concepts.shape}."
        )
    factor = max(1, -(-_SIDE // max(image.shape[:2])))
    height, width = (side * factor for side in image.shape[:2])
    large = 255 * np.clip(image, 0, 1).repeat(factor, 0).repeat(factor, 1)
    mask, cells = _spread(foreground, height, width), _spread(concepts, height, width)
    edge = _spread(_majority(mask, grid), height, width)
    pale = np.repeat(0.35 * 255 + 0.65 * large.mean(2, keepdims=True), 3, 2)
    for chosen, colour in ((cells & edge, _ON), (cells & ~edge, _BESIDE)):
        pale[chosen] = (1 - _COVER) * pale[chosen] + _COVER * colour
    shown = [_outlined(large, mask), _spread(_coloured(entropy, low, high), height, width), pale]
    gap = np.full((height, _GAP, 3), 255.0)
    return np.concatenate([shown[0], gap, shown[1], gap, shown[2]], axis=1).round().astype(np.uint8)


def stretched(images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) of any range as (N, H, W, 3) in 0 ... 1: each image from its lowest to its highest value.

    One channel is shown in grey; of more than three the first three are shown.
    """
    images = np.nan_to_num(images.astype(float))
    low, high = (edge(images, axis=(1, 2, 3), keepdims=True) for edge in (np.min, np.max))
    images = np.moveaxis((images - low) / np.maximum(high - low, 1e-12), 1, 3)
    return images[..., :3] if images.shape[3] >= 3 else images[..., :1].repeat(3, 3)


def _spread(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """Every pixel gets the value of its cell."""
    rows = np.arange(height) * cells.shape[0] // height
    columns = np.arange(width) * cells.shape[1] // width
    return cells[rows[:, None], columns]


def _majority(mask: np.ndarray, grid: int) -> np.ndarray:
    """(g, g) bool: cells of which more than half is foreground."""
    height, width = mask.shape
    rows = np.arange(height) * grid // height == np.arange(grid)[:, None]
    columns = np.arange(width) * grid // width == np.arange(grid)[:, None]
    inside = rows.astype(float) @ mask @ columns.T
    return 2 * inside > np.outer(rows.sum(1), columns.sum(1))


def _coloured(entropy: np.ndarray, low: float, high: float) -> np.ndarray:
    """(g, g, 3) in 0 ... 255."""
    known = np.isfinite(entropy)
    share = np.clip((np.where(known, entropy, low) - low) / (high - low), 0, 1)
    steps = np.linspace(0, 1, len(_ANCHORS))
    colours = np.stack([np.interp(share, steps, channel) for channel in _ANCHORS.T], -1)
    colours[~known] = _MISSING
    return colours


def _outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image with a white line inside the border of the mask and a black one outside of it."""
    near = np.pad(mask, 1)
    around = [near[:-2, 1:-1], near[2:, 1:-1], near[1:-1, :-2], near[1:-1, 2:]]
    image = image.copy()
    image[mask & ~np.logical_and.reduce(around)] = 255
    image[~mask & np.logical_or.reduce(around)] = 0
    return image

"""From a pixel mask to foreground cells."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import choice, positive_count

RULES = ("majority", "any", "released")


def cell_of_pixel(pixels: int, grid: int) -> Tensor:
    """(pixels,) int64: the cell, 0 ... grid - 1, that torch's nearest upsampling of `grid` cells gives to every
    pixel of a side, asked of torch itself (the entropy grid does the same): floor(p * grid / pixels), rounded in
    float32, which moves a border by one pixel at some sides (82 pixels and 16 cells). Cells are uneven where the
    grid does not divide the side (227 / 16: 14 or 15 px).
    """
    return _nearest(grid, pixels)


def _nearest(places: int, size: int) -> Tensor:
    """(size,) int64: which of the `places` torch's nearest resizing to `size` takes; float32 counts them exactly."""
    numbers = torch.arange(places, dtype=torch.float32)[None, None]
    return F.interpolate(numbers, size=size, mode="nearest")[0, 0].long()


def cells_from_mask(
    mask: Any, grid: int, rule: str = "majority", size: int | tuple[int, int] | None = None
) -> Tensor:
    """Foreground cells of a mask.

    mask: (H, W) or (N, H, W), True (or 1) on the foreground; for `released` also soft values in 0 ... 1.
    grid: cells per side. Returns (grid, grid) or (N, grid, grid) bool.

    rule (a pixel belongs to the cell that spreads its sigma over it, see `cell_of_pixel`):
    - `majority`: more than half of the cell's pixels are foreground (exactly half is background);
    - `any`: at least one is;
    - `released` (code released with arXiv 2003.03622): the mask is resized bilinearly (with antialiasing, as
      PIL does) to `size` pixels if given, shrunk to the grid by nearest neighbour, which takes for cell
      i of a side of H pixels the pixel floor(i * H / grid) (the cell's top-left pixel where the grid divides
      the side); what is > 0 there is foreground.

    Raises InputError for an unknown rule, a shape, type or value that is no mask, a grid larger than the
    mask, and `size` with another rule.
    """
    choice("rule", rule, RULES)
    positive_count("grid", grid)
    mask = _checked(mask, soft=rule == "released")
    if size is not None:
        if rule != "released":
            raise InputError(f"size belongs to the rule 'released'; got it with {rule!r}: leave it out.")
        height, width = (size, size) if isinstance(size, int) else size
        positive_count("size", min(height, width))
        images = mask.reshape(mask.shape[:-2].numel(), 1, *mask.shape[-2:])
        images = F.interpolate(images, size=(height, width), mode="bilinear", antialias=True)
        mask = images.reshape(*mask.shape[:-2], height, width)
    height, width = mask.shape[-2:]
    if grid > min(height, width):
        raise InputError(
            f"A grid of {grid} x {grid} cells does not fit on a mask of {height} x {width} pixels; "
            "use a smaller grid or larger images."
        )
    if rule == "released":
        rows, columns = (_nearest(side, grid) for side in (height, width))
        return mask[..., rows[:, None], columns] > 0
    inside, total = _pixels_per_cell(mask, grid)
    return inside > 0 if rule == "any" else 2 * inside > total


def _pixels_per_cell(mask: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Foreground pixels and all pixels of every cell; whole numbers in float64, so exact."""
    rows, columns = (F.one_hot(cell_of_pixel(side, grid), grid).double() for side in mask.shape[-2:])
    return rows.T @ mask @ columns, rows.sum(0)[:, None] * columns.sum(0)


def _checked(mask: Any, soft: bool) -> Tensor:
    mask = torch.as_tensor(mask).detach().cpu()
    if mask.ndim not in (2, 3):
        raise InputError(f"A mask must have the shape (H, W) or (N, H, W); got {tuple(mask.shape)}.")
    values = mask.to(torch.float64)
    if soft and not bool(((values >= 0) & (values <= 1)).all()):
        raise InputError("A mask must hold values in 0 ... 1, got others; divide 8-bit masks by 255.")
    if not soft and not bool(((values == 0) | (values == 1)).all()):
        raise InputError(
            "A mask must be bool (or 0, 1) for this rule, got other values; threshold it or use 'released'."
        )
    return values

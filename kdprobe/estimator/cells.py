"""Cells and pixels: a g x g grid laid over the image as torch's nearest upsampling lays it."""

import torch
from torch import Tensor

from kdprobe.metrics.cells import cell_of_pixel


class CellGrid:
    """Carries values from g x g cells to H x W pixels and sums pixels into cells; g is at most H and W.

    A pixel belongs to the cell that torch's nearest upsampling of float32 maps gives it, as in the released code:
    floor(p * float32(g / L)) along a side of L pixels, rounded in float32. Cells are uneven where g does not divide L
    (227 pixels and 16 cells, say), and rounding may move a border by one pixel (498 pixels and 32 cells).
    """

    def __init__(
        self, grid: int, height: int, width: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.grid = grid
        self._rows = cell_of_pixel(height, grid).to(device)
        self._columns = cell_of_pixel(width, grid).to(device)
        cells = torch.arange(grid, device=device)
        self._sum_rows = (cells[:, None] == self._rows[None, :]).to(dtype)  # (g, H)
        self._sum_columns = (self._columns[:, None] == cells[None, :]).to(dtype)  # (W, g)

    def spread(self, cells: Tensor) -> Tensor:
        """(..., g, g) -> (..., H, W): every pixel gets the value of its cell."""
        return cells.index_select(-2, self._rows).index_select(-1, self._columns)

    def gather(self, pixels: Tensor) -> Tensor:
        """(..., C, H, W) -> (..., g, g): the sum over the pixels of each cell and over the channels."""
        rows, columns = self._sum_rows.to(pixels.dtype), self._sum_columns.to(pixels.dtype)
        return rows @ pixels.sum(-3) @ columns

"""Cells and pixels: a g x g grid laid over the image as torch's nearest upsampling lays it."""

import torch
from torch import Tensor


class CellGrid:
    """Carries values from g x g cells to H x W pixels and sums pixels into cells.

    Pixel p of a side of length L belongs to cell floor(p * g / L), so that cells are uneven where g does not
    divide L (227 pixels and 16 cells, say).
    """

    def __init__(
        self, grid: int, height: int, width: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.grid = grid
        self._rows = torch.arange(height, device=device) * grid // height
        self._columns = torch.arange(width, device=device) * grid // width
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

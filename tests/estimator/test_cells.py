import struct

import pytest
import torch
from oracles.entropy import cell_of

from kdprobe.estimator.cells import CellGrid

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("grid", "height", "width"), [(4, 8, 8), (16, 227, 227), (3, 7, 5), (1, 4, 4), (6, 6, 9), (14, 46, 74)]
)
def test_cells_are_those_of_nearest_upsampling(grid, height, width):
    cells = CellGrid(grid, height, width, device=CPU, dtype=torch.float64)
    values = torch.randn(2, grid, grid)
    upsampled = torch.nn.functional.interpolate(values[None], size=(height, width), mode="nearest")[0]
    assert torch.equal(cells.spread(values), upsampled)

    pixels = torch.randn(3, height, width, dtype=torch.float64)
    expected = torch.zeros(grid, grid, dtype=torch.float64)
    rows = [cell_of(y, height, grid) for y in range(height)]
    columns = [cell_of(x, width, grid) for x in range(width)]
    for y in range(height):
        for x in range(width):
            expected[rows[y], columns[x]] += pixels[:, y, x].sum()
    torch.testing.assert_close(cells.gather(pixels), expected)


def float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


SIDES_AND_GRIDS = [
    *((side, grid) for side in range(1, 301) for grid in {1, 2, 3, 7, 16, side // 2, side - 1, side}),
    *((side, grid) for side in (46, 74, 227, 498, 598, 1024) for grid in range(1, 65)),
]


def test_a_pixels_cell_follows_the_rule_in_float32_on_every_grid():
    """floor(p * float32(g / L)) with every product rounded to float32, in plain Python; no cell without a pixel.

    The numbers of float64 maps are spread by the same rule (torch's own upsampling of float64 has another one).
    """
    borders_moved = 0
    for side, grid in SIDES_AND_GRIDS:
        if not 1 <= grid <= side:
            continue
        scale = float32(grid / side)
        expected = [min(int(float32(pixel * scale)), grid - 1) for pixel in range(side)]
        assert sorted(set(expected)) == list(range(grid))
        cells = CellGrid(grid, side, grid, device=CPU, dtype=torch.float64)
        index = torch.arange(grid, dtype=torch.float64)[:, None].expand(grid, grid)
        assert cells.spread(index)[:, 0].tolist() == expected, (side, grid)
        borders_moved += expected != [pixel * grid // side for pixel in range(side)]
    assert borders_moved > 10  # cases in which integers would say something else


def test_a_border_that_rounding_moves():
    cells = CellGrid(32, 498, 32, device=CPU, dtype=torch.float32)
    assert 249 * 32 // 498 == 16
    assert cells.spread(torch.arange(32.0)[:, None].expand(32, 32))[249, 0] == 15

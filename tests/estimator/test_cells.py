import pytest
import torch
from oracles.entropy import cell_of

from kdprobe.estimator.cells import CellGrid


@pytest.mark.parametrize(
    ("grid", "height", "width"), [(4, 8, 8), (16, 227, 227), (3, 7, 5), (1, 4, 4), (6, 6, 9)]
)
def test_cells_are_those_of_nearest_upsampling(grid, height, width):
    cells = CellGrid(grid, height, width, device=torch.device("cpu"), dtype=torch.float64)
    values = torch.randn(2, grid, grid, dtype=torch.float64)
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

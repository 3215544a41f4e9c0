import pytest
import torch
import torch.nn.functional as F
from oracles import metrics as oracle

from kdprobe.errors import InputError
from kdprobe.estimator.cells import CellGrid
from kdprobe.metrics import cells_from_mask
from kdprobe.metrics.cells import cell_of_pixel


@pytest.mark.parametrize(
    "grid, pixels",
    [(16, 224), (16, 227), (16, 64), (16, 16), (7, 32), (3, 10), (14, 227), (1, 5)]
    + [(16, side) for side in (82, 94, 110, 122, 164, 498)]
    + [(32, 498), (7, 61)],
)
def test_a_pixel_belongs_to_the_cell_whose_sigma_it_gets(grid, pixels):
    spread = F.interpolate(torch.arange(grid).float()[None, None], size=pixels, mode="nearest")[0, 0]
    assert torch.equal(cell_of_pixel(pixels, grid), spread.long())


def test_mask_and_entropy_agree_on_the_cells_of_every_side():
    """A mask of whole entropy cells comes back as these cells, at all sides up to 520 pixels."""
    moved = 0
    for side in range(16, 521):
        entropy = CellGrid(16, side, side, device=torch.device("cpu"), dtype=torch.float32)
        mask = entropy.spread(torch.eye(16)) > 0
        assert torch.equal(cells_from_mask(mask, 16), torch.eye(16, dtype=torch.bool)), side
        assert torch.equal(cells_from_mask(mask, 16, "any"), torch.eye(16, dtype=torch.bool)), side
        moved += not torch.equal(cell_of_pixel(side, 16), torch.arange(side) * 16 // side)
    assert moved > 10  # sides at which rounding in float32 matters


def test_cells_are_uneven_where_the_grid_does_not_divide_the_side():
    assert set(torch.bincount(cell_of_pixel(227, 16)).tolist()) == {14, 15}


@pytest.mark.parametrize("rule", ["majority", "any"])
@pytest.mark.parametrize("shape, grid", [((12, 12), 4), ((11, 13), 4), ((227, 64), 16), ((16, 16), 16)])
def test_against_loops_over_pixels(rule, shape, grid):
    share = 0.5 if rule == "majority" else 0.05
    mask = torch.rand(3, *shape, generator=torch.Generator().manual_seed(1)) < share
    expected = torch.tensor([oracle.cells_from_mask(one, grid, rule) for one in mask.tolist()])
    cells = cells_from_mask(mask, grid, rule)
    assert torch.equal(cells, expected) and 0 < int(cells.sum()) < cells.numel()
    assert torch.equal(cells_from_mask(mask[1], grid, rule), expected[1])


def test_half_a_cell_is_background_by_majority_and_one_pixel_is_foreground_by_any():
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0, :2] = True  # half of the first cell
    mask[:2, 2:] = True
    mask[0, 2] = False  # three quarters of the second
    mask[3, 3] = True  # one pixel of the last
    assert cells_from_mask(mask, 2).tolist() == [[False, True], [False, False]]
    assert cells_from_mask(mask, 2, "any").tolist() == [[True, True], [False, True]]


def test_released_looks_at_the_top_left_pixel_only():
    mask = torch.ones(8, 8)
    mask[0, 0] = 0  # block (0, 0) is lost although 15 of its 16 pixels are foreground
    mask[0, 4] = 1 / 255  # a trace of foreground is enough
    mask[4:, :] = 0
    mask[7, 7] = 1  # not a top-left pixel
    assert cells_from_mask(mask, 2, "released").tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("side", [224, 227])
def test_released_takes_the_pixels_that_nearest_downsampling_takes(side):
    mask = torch.rand(2, side, side, generator=torch.Generator().manual_seed(0)) < 0.5
    nearest = F.interpolate(mask[None].double(), size=16, mode="nearest")[0] > 0
    assert torch.equal(cells_from_mask(mask, 16, "released"), nearest)


def test_released_resizes_as_pillow_does():
    import numpy as np
    from PIL import Image as pillow

    mask = (np.random.default_rng(0).random((301, 190)) < 0.02).astype(np.float32)
    mask[40:200, 60:150] = 1
    resized = np.asarray(pillow.fromarray(mask, mode="F").resize((224, 224), pillow.Resampling.BILINEAR))
    expected = torch.tensor(resized[::14, ::14] > 1e-6)
    assert torch.equal(cells_from_mask(mask, 16, "released", size=224), expected)
    both = cells_from_mask(np.stack([mask, 0 * mask]), 16, "released", size=(224, 224))
    assert torch.equal(both[0], expected) and not both[1].any()
    assert not torch.equal(cells_from_mask(mask, 16, "released"), expected)


@pytest.mark.parametrize(
    "mask, options, words",
    [
        (torch.ones(8, 8, dtype=torch.bool), {"grid": 9}, "does not fit on a mask of 8 x 8"),
        (torch.ones(8, 4, dtype=torch.bool), {"grid": 5}, "does not fit"),
        (torch.ones(30, 30), {"grid": 16, "rule": "released", "size": 15}, "on a mask of 15 x 15"),
        (torch.ones(8, 8, dtype=torch.bool), {"grid": 0}, "grid must be a whole number"),
        (torch.ones(8, 8, dtype=torch.bool), {"grid": 2.0}, "grid must be a whole number"),
        (torch.ones(8, 8, dtype=torch.bool), {"grid": 2, "rule": "most"}, "any, released; got 'most'"),
        (torch.ones(8, 8, dtype=torch.bool), {"grid": 2, "size": 8}, "size belongs to the rule"),
        (torch.ones(8, 8), {"grid": 2, "rule": "released", "size": 0}, "size must be"),
        (torch.ones(8), {"grid": 2}, r"\(H, W\) or \(N, H, W\)"),
        (torch.full((8, 8), 0.5), {"grid": 2}, "must be bool"),
        (torch.full((8, 8), 255), {"grid": 2, "rule": "released"}, "divide 8-bit masks by 255"),
        (torch.full((8, 8), float("nan")), {"grid": 2, "rule": "released"}, "0 ... 1"),
    ],
)
def test_what_is_no_mask_or_grid_gives_one_sentence(mask, options, words):
    with pytest.raises(InputError, match=words):
        cells_from_mask(mask, **options)

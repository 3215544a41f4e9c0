"""Windows around boxes, and masks cut and resized with them: held against plain loops over pixels."""

import itertools

import numpy as np
import pytest
from PIL import Image

from kdprobe.data.crops import check_crop, crop_window
from kdprobe.data.masks import box_mask, fit_mask, shrink
from kdprobe.data.reading import read_rgb
from kdprobe.errors import ConfigError, DataError

SIZES = [(40, 30), (31, 57), (7, 5)]
BOXES = [
    (10, 5, 19, 14),
    (0, 0, 39, 29),
    (3.5, 2.25, 17.75, 9),
    (-4, -3, 6, 4),
    (5, 3, 90, 80),
    (6, 4, 6, 4),
    (0, 0, 0, 0),
    (1, 1, 4, 3),
]


def pixels_in_window(box, factor, stored):
    """The plain form: (columns, rows) whose centres lie in the box, stretched about its centre."""
    found = []
    for low, high, length in ((box[0], box[2] + 1, stored[0]), (box[1], box[3] + 1, stored[1])):
        middle, stretched = (low + high) / 2, (high - low) * factor
        inside = []
        for pixel in range(length):
            if middle - stretched / 2 < pixel + 0.5 <= middle + stretched / 2:
                inside.append(pixel)
        found.append(inside)
    return found


@pytest.mark.parametrize("factor", [1.0, 1.2, 1.5, 2.3])
@pytest.mark.parametrize("stored", SIZES)
def test_a_window_holds_the_pixels_of_the_stretched_box(stored, factor):
    tried = 0
    for box in BOXES:
        columns, rows = pixels_in_window(box, factor, stored)
        if columns and rows:
            expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            assert crop_window(box, factor, stored) == expected, (box, columns, rows)
            tried += 1
    assert tried >= 5


def test_a_window_never_leaves_the_image_and_is_never_empty():
    values = (-20, -0.6, 0, 3.2, 6.9, 30)
    for x0, y0, width, height in itertools.product(values, values, (1, 0.2, 50), (1, 0.2, 50)):
        left, top, right, bottom = crop_window((x0, y0, x0 + width - 1, y0 + height - 1), 1.0, (7, 5))
        assert 0 <= left < right <= 7 and 0 <= top < bottom <= 5


def test_the_crop_of_an_image_is_its_pixels(tmp_path):
    rows, columns = np.mgrid[:30, :40]
    Image.fromarray(np.stack([columns, rows, columns * 0], -1).astype(np.uint8)).save(tmp_path / "a.png")
    pixels, stored = read_rgb(tmp_path / "a.png", None, (12, 3, 19, 14))
    assert stored == (40, 30) and pixels.shape == (3, 11, 7)
    np.testing.assert_array_equal(pixels[0], columns[3:14, 12:19])
    np.testing.assert_array_equal(pixels[1], rows[3:14, 12:19])


@pytest.mark.parametrize("window", [None, (2, 1, 25, 12), (0, 0, 40, 3), (33, 20, 40, 30)])
def test_boxes_in_a_window_by_pixel_centres(window, tmp_path):
    boxes, size, stored = [(4, 2, 20, 9), (35, 0, 60, 24)], 9, (40, 30)
    left, top, right, bottom = window or (0, 0, *stored)
    expected = np.zeros((size, size), dtype=bool)
    for row in range(size):
        for column in range(size):
            x = left + (column + 0.5) * (right - left) / size
            y = top + (row + 0.5) * (bottom - top) / size
            for x0, y0, x1, y1 in boxes:
                expected[row, column] |= x0 <= x < x1 + 1 and y0 <= y < y1 + 1
    np.testing.assert_array_equal(box_mask(boxes, stored, size, tmp_path, window), expected)


def majority(mask, size):
    """The plain form: count the pixels whose centres lie in each output pixel."""
    found = np.zeros((size, size), dtype=bool)
    height, width = mask.shape
    for row in range(size):
        for column in range(size):
            inside = total = 0
            for y in range(height):
                for x in range(width):
                    if (
                        row * height < (y + 0.5) * size <= (row + 1) * height
                        and column * width < (x + 0.5) * size <= (column + 1) * width
                    ):
                        inside, total = inside + mask[y, x], total + 1
            found[row, column] = 2 * inside > total
    return found


@pytest.mark.parametrize("shape", [(12, 12), (13, 17), (30, 22)])
def test_a_mask_is_shrunk_by_majority(shape):
    mask = np.random.Generator(np.random.PCG64(1)).random(shape) < 0.5
    np.testing.assert_array_equal(shrink(mask, 5), majority(mask, 5))


def test_a_mask_is_enlarged_without_new_values():
    mask = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(shrink(mask, 8), np.kron(mask, np.ones((4, 4))) > 0)


def test_mask_and_image_go_through_the_same_crop(tmp_path):
    """An image that is white where the mask is: it still is, inside the window, at an uneven size."""
    mask = np.zeros((50, 70), dtype=bool)
    mask[11:37, 23:58] = True
    mask[20:25, 5:60] = True
    Image.fromarray(np.where(mask[..., None], 255, 0).astype(np.uint8).repeat(3, -1)).save(tmp_path / "a.png")
    window = (15, 8, 66, 41)
    pixels, _ = read_rgb(tmp_path / "a.png", 16, window)
    fitted = fit_mask(mask, 16, tmp_path, window)
    sure = (pixels[0] < 60) | (pixels[0] > 195)
    assert sure.mean() > 0.8
    np.testing.assert_array_equal(fitted[sure], (pixels[0] > 127)[sure])


def test_the_released_rule_takes_every_value_above_zero(tmp_path):
    values = np.zeros((32, 32), dtype=np.uint8)
    values[8:16, 8:16] = 20
    generous = fit_mask(values, 16, tmp_path, rule="released")
    expected = np.asarray(Image.fromarray(values).resize((16, 16), Image.Resampling.BILINEAR)) > 0
    np.testing.assert_array_equal(generous, expected)
    assert generous[4:8, 4:8].all() and generous.sum() > 16  # the seam counts as well
    assert fit_mask(values > 0, 16, tmp_path).sum() == 16


@pytest.mark.parametrize("value", [0.9, 0, -1, True, "1.2", float("nan"), float("inf")])
def test_a_crop_must_be_a_number_from_1_on(value):
    with pytest.raises(ConfigError, match="crop"):
        check_crop(value)


@pytest.mark.parametrize("box", [(5, 5, 4, 9), (40, 0, 45, 5), (-9, -9, -1, 5), (float("nan"), 0, 5, 5)])
def test_a_box_that_holds_nothing_of_the_image_is_refused(box, tmp_path):
    with pytest.raises(DataError, match="empty or lies outside"):
        box_mask([box], (40, 30), 16, tmp_path)

"""Concept maps as pixels."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from kdprobe.errors import InputError
from kdprobe.live import Picture, png_bytes
from kdprobe.live.pictures import panels, stretched
from kdprobe.metrics import cells_from_mask

GREY = np.full((8, 8, 3), 0.5)
BLUE, ORANGE = (0, 114, 178), (230, 159, 0)


def made(foreground, entropy, concepts, image=GREY) -> list[np.ndarray]:
    """The three panels, each of 8 x 8 blocks of 12 pixels."""
    whole = panels(image, foreground, entropy, concepts, low=-3.0, high=-2.0)
    assert whole.dtype == np.uint8
    assert whole.shape == (96, 3 * 96 + 2 * 4, 3)
    assert (whole[:, 96:100] == 255).all()
    assert (whole[:, 196:200] == 255).all()
    return [whole[:, :96], whole[:, 100:196], whole[:, 200:]]


def corner() -> np.ndarray:
    """Cells (4, 4) of which the first is set."""
    cells = np.zeros((4, 4), dtype=bool)
    cells[0, 0] = True
    return cells


def test_a_picture_becomes_a_png_with_the_same_pixels():
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    file = png_bytes(Picture("student", "a", "", 1, pixels))
    assert file.startswith(b"\x89PNG\r\n")
    assert (np.array(Image.open(BytesIO(file))) == pixels).all()


def test_concepts_are_blue_on_the_foreground_and_orange_beside_it():
    foreground = np.zeros((8, 8), dtype=bool)
    foreground[:2, :2] = True  # the first cell
    concepts = corner()
    concepts[3, 1] = True
    shown = made(foreground, np.full((4, 4), -2.5), concepts)[2]
    pale = 0.35 * 255 + 0.65 * 0.5 * 255
    for cell, colour in (((0, 0), BLUE), ((3, 1), ORANGE), ((1, 2), None)):
        block = shown[24 * cell[0] : 24 * cell[0] + 24, 24 * cell[1] : 24 * cell[1] + 24]
        expected = np.full(3, pale) if colour is None else 0.28 * pale + 0.72 * np.array(colour)
        assert np.abs(block - expected).max() <= 0.5


def test_which_concepts_are_blue_is_what_is_counted_as_foreground():
    mask = np.random.default_rng(2).random((8, 8)) < 0.5
    cells = cells_from_mask(mask, 4).numpy()
    assert cells.any()
    assert not cells.all()
    shown = made(mask, np.full((4, 4), -2.5), np.ones((4, 4), dtype=bool))[2]
    blue = shown[12::24, 12::24, 2] > shown[12::24, 12::24, 0]
    assert (blue == cells).all()


def test_entropy_is_darker_the_lower_it_is_and_grey_where_it_is_missing():
    entropy = np.linspace(-3, -2, 16).reshape(4, 4)
    entropy[0, 0] = np.nan
    shown = made(np.zeros((8, 8), bool), entropy, np.zeros((4, 4), bool))[1][12::24, 12::24]
    assert shown[0, 0].tolist() == [187, 187, 187]
    light = (shown @ np.array([0.2126, 0.7152, 0.0722])).ravel()[1:]
    assert (np.diff(light) > 0).all()


def test_entropies_beyond_the_scale_have_its_last_colours():
    entropy = np.array([[-9.0, -3.0], [-2.0, 5.0]])
    shown = made(np.zeros((8, 8), bool), entropy, np.zeros((2, 2), bool))[1][24::48, 24::48]
    assert shown[0, 0].tolist() == shown[0, 1].tolist() == [68, 1, 84]
    assert shown[1, 0].tolist() == shown[1, 1].tolist() == [253, 231, 37]


def test_the_foreground_is_outlined_on_the_image_alone():
    foreground = np.zeros((8, 8), dtype=bool)
    foreground[2:4, 2:4] = True  # pixels 24 ... 47
    shown = made(foreground, np.full((4, 4), -2.5), np.zeros((4, 4), bool))[0]
    assert (shown[24, 24:48] == 255).all()
    assert (shown[47, 24:48] == 255).all()
    assert (shown[23, 24:48] == 0).all()
    assert (shown[48, 24:48] == 0).all()
    assert (shown[30:40, 30:40] == 128).all()
    assert (shown[60:, 60:] == 128).all()


def test_a_foreground_of_cells_is_outlined_too():
    by_cell = made(corner(), np.full((4, 4), -2.5), np.zeros((4, 4), bool))[0]
    pixels = np.zeros((8, 8), dtype=bool)
    pixels[:2, :2] = True
    assert (by_cell == made(pixels, np.full((4, 4), -2.5), np.zeros((4, 4), bool))[0]).all()


def test_large_images_keep_their_size():
    image = np.zeros((120, 150, 3))
    whole = panels(image, np.zeros((4, 4), bool), np.zeros((4, 4)), corner(), low=-1, high=1)
    assert whole.shape == (120, 3 * 150 + 8, 3)


@pytest.mark.parametrize(
    ("image", "entropy"),
    [(GREY[..., :1], np.zeros((4, 4))), (GREY, np.zeros((4, 5))), (GREY[0], np.zeros((4, 4)))],
)
def test_shapes_that_do_not_fit_are_refused(image, entropy):
    with pytest.raises(InputError, match="A picture needs an image"):
        panels(image, corner(), entropy, corner(), low=-3, high=-2)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_images_of_any_range_are_stretched_each_by_itself(channels):
    images = np.random.default_rng(0).normal(7, 3, (2, channels, 4, 4))
    images[1] *= 100
    images[0, 0, 0, 0] = np.nan
    shown = stretched(images)
    assert shown.shape == (2, 4, 4, 3)
    assert (shown >= 0).all()
    assert (shown <= 1).all()
    if channels == 1:
        assert shown[1].min() == 0
        assert shown[1].max() == 1
        assert (shown[..., 0] == shown[..., 2]).all()
    assert (stretched(np.full((1, 1, 2, 2), 4.0)) == 0).all()

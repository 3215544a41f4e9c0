"""The contact sheet: every image with its outline and caption, nothing on top of another thing."""

import numpy as np
import pytest
from plots.layout import faults, texts

from kdprobe.errors import InputError
from kdprobe.plots import contact_sheet


def sheet(count, foreground=True, name="American lobster", columns=6):
    images = [np.full((32, 32, 3), k / max(count, 2)) for k in range(count)]
    mask = np.zeros((32, 32), dtype=bool)
    mask[4:20, 6:30] = True
    return contact_sheet(
        images,
        [mask if foreground else None] * count,
        [(f"{name} {k}", "42 % foreground") for k in range(count)],
        title="tiny_imagenet, train",
        subtitle="24 of 10 000 images, 64 x 64 pixels. Crops of 1.5 x box. Outlined: foreground (box).",
        columns=columns,
    )


@pytest.mark.parametrize("count", [1, 5, 6, 7, 24])
def test_texts_neither_overlap_nor_leave_the_sheet(count):
    figure = sheet(count)
    assert faults(figure) == [] and len(figure.axes) == count
    shown = [text for text, _ in texts(figure)]
    assert "tiny_imagenet, train" in shown and "American lobster 0" in shown


@pytest.mark.parametrize("name", ["A" * 80, "M" * 23, "hippopotamus, river horse, Hippopotamus", "$x^2$ _{"])
def test_long_and_strange_names_are_cut(name):
    assert faults(sheet(7, name=name)) == []


def test_captions_stand_below_their_image():
    figure = sheet(8, columns=3)
    boxes = dict(texts(figure))
    for k, ax in enumerate(figure.axes):
        tile, caption = ax.get_window_extent(), boxes[f"American lobster {k}"]
        assert caption.y1 <= tile.y0 and tile.y0 - caption.y1 < 12 and abs(caption.x0 - tile.x0) < 6


def test_no_caption_lies_on_an_image():
    figure = sheet(14, columns=4)
    tiles = [ax.get_window_extent() for ax in figure.axes]
    for text, box in texts(figure):
        hit = [t for t in tiles if box.x0 < t.x1 and t.x0 < box.x1 and box.y0 < t.y1 and t.y0 < box.y1]
        assert not hit, text


def test_the_foreground_is_outlined():
    plain, outlined = sheet(1, foreground=False).axes[0], sheet(1).axes[0]
    assert len(plain.collections) == 0 and len(outlined.collections) == 2
    for collection in outlined.collections:  # the edge runs between the pixels
        points = np.concatenate([path.vertices for path in collection.get_paths()])
        assert points.min(0).tolist() == [5.5, 3.5] and points.max(0).tolist() == [29.5, 19.5]


def test_lengths_must_agree():
    with pytest.raises(InputError, match="at least one"):
        contact_sheet([], [], [], title="", subtitle="")
    with pytest.raises(InputError, match="2 foregrounds"):
        contact_sheet([np.zeros((4, 4, 3))], [None, None], [("a", "b")], title="", subtitle="")

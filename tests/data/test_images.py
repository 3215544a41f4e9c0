"""The record that every data set returns."""

import json

import numpy as np
import pytest
import torch

from kdprobe.data import LabelledImages
from kdprobe.data.images import central_square
from kdprobe.errors import InputError
from kdprobe.metrics import cells_from_mask


def small(**changes):
    pixels = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    keywords = {
        "name": "toy",
        "images": pixels,
        "labels": [1, 0],
        "ids": ["a", "b"],
        "classes": ["cat", "dog"],
        "foregrounds": np.eye(4, dtype=bool)[None].repeat(2, 0),
        "foreground_kind": "mask",
        "mean": (0.1, 0.2, 0.3),
        "std": (0.5, 0.25, 2.0),
    }
    return LabelledImages(**{**keywords, **changes})


def test_a_sample_is_normalised_channel_by_channel():
    data = small()
    sample = data[1]
    raw = (1 * 48 + 2 * 16 + 3 * 4 + 1) / 255  # image 1, channel 2, row 3, column 1
    assert sample.image.dtype == torch.float32
    assert float(sample.image[2, 3, 1]) == pytest.approx((raw - 0.3) / 2.0, abs=1e-6)
    assert (sample.label, sample.id) == (0, "b")
    assert sample.foreground.dtype == torch.bool and int(sample.foreground.sum()) == 4
    assert torch.equal(data.images[1], sample.image)
    assert data.images is data.images  # made once
    assert len(data) == 2 and data.image_shape == (3, 4, 4)


def test_to_display_undoes_the_normalisation():
    data = small()
    shown = data.to_display(data[0].image)
    expected = np.arange(48).reshape(3, 4, 4).transpose(1, 2, 0) / 255
    assert shown.shape == (4, 4, 3) and shown.dtype == np.float32
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    assert data.to_display(data[0].image + 100).max() == 1.0


def test_floating_point_images_are_taken_as_0_to_1():
    data = small(images=torch.full((2, 3, 4, 4), 0.35), mean=(0.1, 0.1, 0.1), std=(0.5, 0.5, 0.5))
    assert torch.allclose(data.images, torch.tensor(0.5))


def test_the_description_is_json():
    described = json.loads(json.dumps(small(left_out=[("c.png", "broken")], options={"seed": 3}).describe()))
    assert described["n"] == 2 and described["classes"] == ["cat", "dog"]
    assert described["images_by_class"] == [1, 1]
    assert described["left_out"] == 1 and described["foreground_kind"] == "mask"
    assert described["options"] == {"seed": 3}


@pytest.mark.parametrize("side", [16, 32, 64, 224])
def test_the_central_square_is_cells_2_to_13(side):
    block = side // 16
    expected = np.zeros((side, side), dtype=bool)
    for row in range(side):
        for column in range(side):
            expected[row, column] = 2 <= row // block <= 13 and 2 <= column // block <= 13
    np.testing.assert_array_equal(central_square(side, side), expected)


@pytest.mark.parametrize("rule", ["majority", "released"])
def test_the_central_square_is_144_cells_at_every_side(rule):
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[2:14, 2:14] = True
    sides = range(16, 300) if rule == "released" else [32, 40, 48, 56, *range(59, 300)]
    for side in sides:
        found = cells_from_mask(torch.from_numpy(central_square(side, side)), 16, rule)
        assert torch.equal(found, expected), side


def test_rows_are_normalised_when_taken():
    data = small()
    rows = data.normalised
    assert len(rows) == 2 and rows.shape == (2, 3, 4, 4)
    for index in (1, slice(0, 2), torch.tensor([1, 0, 1])):
        assert torch.equal(rows[index], data.images[index])
    assert [len(part) for part in rows.split(1)] == [1, 1]
    assert torch.equal(torch.cat(list(rows.split(1))), data.images)
    taken = rows[torch.tensor([0])]
    taken += 5
    assert torch.equal(rows[:], data.images)
    floats = small(images=torch.full((2, 3, 4, 4), 0.3))
    assert torch.equal(floats.normalised[:], floats.images)


def test_rows_are_normalised_on_the_device_asked_for():
    rows = small().normalised.on("meta")  # a device without values
    assert rows[torch.tensor([1])].device.type == "meta" and rows[0].shape == (3, 4, 4)
    assert {part.device.type for part in rows.split(1)} == {"meta"} and len(rows) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_normalises_to_the_same_bytes():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(3, 1)
    data = small(images=pixels, labels=[0], ids=["a"], foregrounds=None, foreground_kind=None)
    assert torch.equal(data.normalised.on("cuda")[:].cpu(), data.images)


def test_a_replaced_set_keeps_the_rest():
    data = small(
        left_out=[("c", "broken")], source_sizes=[(9, 8), (7, 6)], notes=["look"], options={"seed": 3}
    )
    other = data.replaced(labels=[1, 1])
    assert other.labels.tolist() == [1, 1] and data.labels.tolist() == [1, 0]
    for name in ("name", "ids", "classes", "mean", "std", "left_out", "source_sizes", "notes", "options"):
        assert getattr(other, name) == getattr(data, name)
    assert torch.equal(other.images, data.images) and torch.equal(other.foregrounds, data.foregrounds)


def test_central_foreground_replaces_the_mask():
    data = small(images=np.zeros((2, 3, 16, 16), np.uint8), foregrounds=np.ones((2, 16, 16), bool))
    central = data.with_central_foreground()
    assert central.foreground_kind == "central" and int(central.foregrounds[1].sum()) == 144
    assert central.mean == data.mean and central.ids == data.ids
    assert data.foreground_kind == "mask"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"labels": [0]}, "labels"),
        ({"labels": [0, 2]}, "classes"),
        ({"ids": ["a", "a"]}, "'a' occurs twice"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"source_sizes": [(4, 4)]}, "source_sizes"),
        ({"foreground_kind": None}, "foreground_kind"),
        ({"foreground_kind": "blob"}, "'blob'"),
        ({"foregrounds": np.ones((2, 4, 4))}, "bool"),
        ({"images": np.ones((2, 3, 4, 4)) * 3}, "0 ... 1"),
        ({"images": np.full((2, 3, 4, 4), np.nan)}, "0 ... 1"),
        ({"images": np.ones((2, 3, 4, 4), dtype=np.int64)}, "uint8"),
        ({"images": np.ones((2, 4, 4), dtype=np.uint8)}, "(N, C, H, W)"),
    ],
)
def test_what_does_not_fit_is_refused(changes, word):
    with pytest.raises(InputError) as error:
        small(**changes)
    assert word in str(error.value)

"""What the explorer is given: the first images that count, their exact maps, H-bar over all of them, small pictures."""

from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from report.summaries import network

import kdprobe.analysis.explorer as module
from kdprobe.analysis import (
    CountSettings,
    Measurement,
    explorer_images,
    explorer_layer,
    has_room,
    images_shown,
)
from kdprobe.data import Probe

IMAGES, GRID = 7, 4


def measured(epochs: int, seed: int = 0) -> Measurement:
    generator = torch.Generator().manual_seed(seed)
    entropy = torch.randn(epochs, IMAGES, GRID, GRID, generator=generator, dtype=torch.float64)
    return Measurement(
        entropy=entropy,
        std_error=torch.zeros_like(entropy),
        usable=torch.ones(IMAGES, dtype=torch.bool),
        flagged=0,
        outcomes={},
        epochs=tuple(range(epochs)),
        path=torch.arange(epochs, dtype=torch.float64),
        work={},
    )


FOREGROUND = torch.rand(IMAGES, GRID, GRID, generator=torch.Generator().manual_seed(1)) < 0.5
USABLE = torch.tensor([False, True, True, False, True, True, True])


def of_size(side: int, channels: int = 3) -> tuple[Probe, SimpleNamespace]:
    images = torch.rand(IMAGES, channels, side, 2 * side, generator=torch.Generator().manual_seed(2))
    ids = tuple(f"image {k}" for k in range(IMAGES))
    probe = Probe(images, torch.arange(IMAGES) % 3, images[:, 0] > 0.5, FOREGROUND, ids, {})
    shown = SimpleNamespace(classes=("a", "b", "c"), to_display=lambda image: image.permute(1, 2, 0).numpy())
    return probe, shown


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_maps_are_those_of_the_first_images_and_the_baseline_is_that_of_all(scope):
    measurements = {"teacher": measured(1), "student": measured(3, seed=4)}
    networks = [replace(network("teacher", "teacher", "baseline", last=0)),
                replace(network("student", "student", "kd", last=2), layer="fc1")]  # fmt: skip
    settings = CountSettings(scope=scope)
    layer = explorer_layer(networks, measurements, FOREGROUND, USABLE, settings, 3)
    assert layer.layer == "fc1" and [n.name for n in layer.networks] == ["teacher", "student"]
    rows = [1, 2, 4, 5, 6]
    for found, whole in zip(layer.networks, measurements.values(), strict=True):
        assert np.array_equal(found.entropy, whole.entropy[:, rows[:3]].numpy())
        assert found.entropy.dtype == found.baseline_entropy.dtype == np.float64
        means = np.array(
            [
                [whole.entropy[k, row][~FOREGROUND[row]].mean() for row in rows]
                for k in range(len(whole.epochs))
            ]
        )
        expected = means.mean(1) if scope == "dataset" else means[:, :3]
        assert found.baseline_entropy.shape == expected.shape
        assert np.allclose(found.baseline_entropy, expected, rtol=0, atol=1e-14)


def test_images_are_the_first_that_count_with_their_classes_and_cells():
    probe, data = of_size(8)
    settings = CountSettings(margin=0.3, scope="image", empty="zero", initial="rho")
    found = explorer_images(probe, data, USABLE, settings, 4)
    assert found.ids == ("image 1", "image 2", "image 4", "image 5") and found.labels == (1, 2, 1, 2)
    assert np.array_equal(found.foreground, FOREGROUND[[1, 2, 4, 5]].numpy())
    assert (found.counted, found.classes) == (5, ("a", "b", "c"))
    assert (found.margin, found.scope, found.empty, found.initial) == (0.3, "image", "zero", "rho")


@pytest.mark.parametrize(
    ("side", "channels", "kind", "size"),
    [
        (32, 3, "PNG", (64, 32)),
        (32, 1, "PNG", (64, 32)),
        (33, 3, "JPEG", (66, 33)),
        (200, 3, "JPEG", (192, 96)),
    ],
)
def test_pictures_are_small_and_lossless_where_that_costs_little(side, channels, kind, size):
    probe, data = of_size(side, channels)
    found = explorer_images(probe, data, USABLE, CountSettings(), 1)
    with Image.open(BytesIO(found.pictures[0])) as picture:
        assert (picture.format, picture.mode, picture.size) == (kind, "RGB", size) and found.sizes == (size,)
        if kind == "PNG":
            pixels = probe.images[1].permute(1, 2, 0).expand(-1, -1, 3).numpy()
            assert np.abs(np.asarray(picture) / 255 - pixels).max() < 0.51 / 255
        else:
            assert len(found.pictures[0]) < 40_000


def test_the_page_has_room_for_so_many_images_and_layers(monkeypatch):
    measurements = {"teacher": measured(2), "student": measured(3)}
    monkeypatch.setattr(module, "MAPS", 3 * 5 * GRID * GRID * 8)  # three images with five maps each
    assert images_shown(measurements, USABLE, 48) == 3
    assert images_shown(measurements, USABLE, 2) == 2
    monkeypatch.setattr(module, "MAPS", 1)
    assert images_shown(measurements, USABLE, 48) == 1
    monkeypatch.undo()
    assert images_shown(measurements, USABLE, 48) == 5  # no more count
    networks = [
        network("teacher", "teacher", "baseline", last=1),
        network("student", "student", "kd", last=2),
    ]
    probe, data = of_size(8)
    own = explorer_layer(networks, measurements, FOREGROUND, USABLE, CountSettings(), 2)
    explorer = replace(explorer_images(probe, data, USABLE, CountSettings(), 2), layers=(own,))
    both = 2 * 2 * 5 * GRID * GRID * 8  # layers, images, maps
    for room, enough in ((both, True), (both - 1, False)):
        monkeypatch.setattr(module, "MAPS", room)
        assert has_room(explorer, measurements) == enough

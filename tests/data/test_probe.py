"""Choosing the probe images."""

import numpy as np
import pytest
import torch

from kdprobe.data import LabelledImages, load_data, select_probe
from kdprobe.errors import ConfigError, DataError


def shares(values, labels=None, size=32):
    """Images whose left `values` share of columns is foreground."""
    foregrounds = np.stack([np.broadcast_to(np.arange(size) < round(v * size), (size, size)) for v in values])
    labels = labels if labels is not None else [0] * len(values)
    images = np.zeros((len(values), 3, size, size), dtype=np.uint8)
    return LabelledImages(
        name="toy",
        images=images,
        labels=labels,
        ids=[f"i{k}" for k in range(len(values))],
        classes=["a", "b", "c"],
        foregrounds=foregrounds,
        foreground_kind="box",
    )


def test_only_images_whose_share_lies_in_the_range():
    data = shares([0.0, 0.125, 0.25, 0.5, 0.625, 0.75, 1.0])
    probe = select_probe(data, 7, foreground_share=(0.125, 0.625), seed=0)
    assert sorted(probe.ids) == ["i1", "i2", "i3", "i4"]  # both ends are included
    assert probe.left_out == {"foreground share outside 0.125 to 0.625": 3}
    assert "4 probe images instead of 7" in probe.notes[0]


def test_images_without_foreground_or_background_cells_are_left_out():
    data = shares([0.0, 0.5, 1.0, 1 / 32])  # one column of 32 fills half of a 2 px cell: no majority
    probe = select_probe(data, 1, seed=0)
    assert probe.ids == ("i1",) and probe.notes == ()
    assert probe.left_out == {"no foreground cell": 2, "no background cell": 1}
    assert sorted(select_probe(data, 2, seed=0, rule="any").ids) == ["i1", "i3"]


def test_the_probe_holds_the_images_of_its_ids():
    data = load_data("cluttered_digits", split="test", images_per_class=5)
    probe = select_probe(data, 12, seed=3)
    assert probe.images.shape == (12, 3, 32, 32) and probe.foreground_cells.shape == (12, 16, 16)
    for k, identity in enumerate(probe.ids):
        sample = data[data.ids.index(identity)]
        assert torch.equal(probe.images[k], sample.image) and int(probe.labels[k]) == sample.label
        assert torch.equal(probe.foregrounds[k], sample.foreground)
        block = sample.foreground.reshape(16, 2, 16, 2).sum((1, 3))
        assert torch.equal(probe.foreground_cells[k], block > 2)


def test_classes_take_turns_and_larger_probes_begin_with_smaller_ones():
    data = load_data("cluttered_digits", split="test", images_per_class=5)
    probe, larger = select_probe(data, 20, seed=1), select_probe(data, 33, seed=1)
    assert probe.labels.bincount().tolist() == [2] * 10
    assert probe.labels[:10].bincount().tolist() == [1] * 10
    assert larger.ids[:20] == probe.ids and len(set(larger.ids)) == 33
    assert select_probe(data, 20, seed=1).ids == probe.ids != select_probe(data, 20, seed=2).ids


def test_a_class_that_runs_out_is_made_up_for_by_others():
    data = shares([0.5] * 7, labels=[0, 1, 1, 1, 1, 2, 2])
    assert select_probe(data, 6, seed=0).labels.bincount().tolist() == [1, 3, 2]


def test_data_without_foreground_name_the_way_out():
    data = LabelledImages(name="bare", images=np.zeros((1, 3, 16, 16)), labels=[0], ids=["x"], classes=["a"])
    with pytest.raises(DataError, match="foreground: central"):
        select_probe(data, 1, seed=0)
    assert len(select_probe(data.with_central_foreground(), 1, seed=0).ids) == 1


def test_no_candidate_is_an_error_that_says_what_to_change():
    with pytest.raises(DataError, match=r"None of the 2 images.*foreground_share.*0\.50 to 1\.00"):
        select_probe(shares([0.5, 1.0]), 1, foreground_share=(0.1, 0.2), seed=0)


@pytest.mark.parametrize(
    "keywords", [{"count": 0}, {"count": 1, "foreground_share": (0.6, 0.2)}, {"count": 1, "seed": -2}]
)
def test_settings_that_cannot_be_used(keywords):
    with pytest.raises(ConfigError):
        select_probe(shares([0.5]), **{"seed": 0, **keywords})

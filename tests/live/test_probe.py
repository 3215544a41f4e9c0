"""LiveProbe: its numbers against those of the whole history, its log, its failures."""

import json
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from live.subjects import GRID, LITTLE, Net, images, lines, masks, options, probe, wandering

from kdprobe.errors import InputError
from kdprobe.estimator import EntropyEstimator
from kdprobe.live import LiveProbe
from kdprobe.live.counting import CountRules
from kdprobe.metrics import (
    bootstrap_interval,
    cells_from_mask,
    image_values,
    noise_redraws,
    weight_path,
)

BELOW = ("body.conv.weight", "body.conv.bias", "body.norm.weight", "body.norm.bias")
BELOW += ("body.fc1.weight", "body.fc1.bias")


def test_its_numbers_are_those_of_the_report_had_all_maps_been_kept(tmp_path):
    watched, maps, states = probe(tmp_path), [], []
    rules, foreground = CountRules(margin=0.05), cells_from_mask(masks(), GRID)
    for epoch, net in wandering(4):
        reading = watched.observe(net, epoch=epoch)
        maps.append(EntropyEstimator(net, "fc1", solver=LITTLE, grid=GRID).estimate(images()))
        states.append({name: tensor.clone() for name, tensor in net.state_dict().items()})
        path = weight_path(states, BELOW)
        assert reading.weight_path == float(path[-1])
        if epoch == 0:
            assert np.isnan(reading.stability_so_far.value)
            continue
        entropy = torch.stack([each.entropy for each in maps[1:]])
        noise = torch.stack([each.noise for each in maps[1:]])
        values = image_values(entropy, foreground, path, margin=0.05)
        noisy = noise_redraws(
            entropy, None, foreground, path, noise=noise, margin=0.05, redraws=rules.redraws, seed=0
        )
        for name, mine in (("n_foreground",) * 2, ("n_background",) * 2, ("stability", "stability_so_far")):
            limits = (0, 1) if name == "stability" else (0, np.inf)
            expected = bootstrap_interval(
                values[name], seed=0, noise=noisy[name], limits=limits, resamples=rules.resamples
            )
            assert getattr(reading, mine) == expected
    assert 0 < reading.stability_so_far.value < 1  # else the union would not matter


def test_the_weight_path_is_measured_in_units_of_the_initial_norm(tmp_path):
    """By hand, in numpy, over one long vector."""
    watched, vectors = probe(tmp_path), []
    for epoch, net in wandering(3):
        reading = watched.observe(net, epoch=epoch)
        parameters = dict(net.named_parameters())
        vectors.append(np.concatenate([parameters[n].detach().double().numpy().ravel() for n in BELOW]))
    steps = [np.linalg.norm(b - a) for a, b in pairwise(vectors)]
    assert reading.weight_path == pytest.approx(sum(steps) / np.linalg.norm(vectors[0]), rel=1e-12)


def test_the_weights_that_are_followed_can_be_named(tmp_path):
    head, steps = probe(tmp_path, weights=["head.weight"]), []
    for epoch, net in wandering(2):
        reading = head.observe(net, epoch=epoch)
        steps.append({"head.weight": net.head.weight.detach().clone()})
    assert reading.weight_path == float(weight_path(steps, ["head.weight"])[-1])


def test_each_observation_is_one_line_of_the_log(tmp_path):
    watched = probe(tmp_path, name="student-kd")
    for epoch, net in wandering(1):
        watched.observe(net, epoch=epoch, step=7 * epoch, stage=2)
    text = (tmp_path / "metrics.jsonl").read_text().splitlines()
    first, second = map(json.loads, text)
    assert text == [json.dumps(line, sort_keys=True) for line in (first, second)]
    intervals = {"n_foreground", "n_background", "relevance_ratio", "stability_so_far"}
    plain = {"probe", "epoch", "stage", "step", "layer", "images", "seconds", "weight_path"}
    assert set(first) == set(second) == intervals | plain
    assert (second["probe"], second["epoch"], second["stage"], second["step"]) == (1, 1, 2, 7)
    assert (second["layer"], second["images"]) == ("fc1", 8)
    assert second["seconds"] > 0
    assert set(second["n_foreground"]) == {"value", "low", "high", "n"}
    assert first["stability_so_far"] == {"value": None, "low": None, "high": None, "n": 0}
    assert first["weight_path"] == 0 < second["weight_path"]


def test_epochs_must_grow(tmp_path):
    watched = probe(tmp_path)
    watched.observe(Net(), epoch=3)
    with pytest.raises(InputError, match="Epochs must grow between observations, got 3 after 3"):
        watched.observe(Net(), epoch=3)


def test_cells_do_as_well_as_masks(tmp_path):
    by_cells = LiveProbe(images(), cells_from_mask(masks(), GRID), "fc1", tmp_path / "cells", **options())
    by_cells.observe(Net(), epoch=0)
    probe(tmp_path / "masks").observe(Net(), epoch=0)
    assert lines(tmp_path / "cells") == lines(tmp_path / "masks")


def test_an_image_that_cannot_be_measured_is_left_out(tmp_path):
    pictures = images()
    pictures[2, 0, 0, 0] = torch.nan
    watched = LiveProbe(pictures, masks(), "fc1", tmp_path, **options())
    others = LiveProbe(pictures[[0, 1, 3, 4, 5, 6, 7]], masks(7), "fc1", tmp_path / "others", **options())
    for epoch, net in wandering(2):
        found, expected = watched.observe(net, epoch=epoch), others.observe(net, epoch=epoch)
    for name in ("n_foreground", "n_background", "relevance_ratio", "stability_so_far"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert (mine.value, mine.n) == (theirs.value, theirs.n)
    assert found.n_foreground.n == 7


def test_nothing_is_said_where_nothing_is_wrong(tmp_path):
    watched = probe(tmp_path, on_error="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch, net in wandering(1):
            watched.observe(net, epoch=epoch)
    assert watched.failures == ()


def test_pictures_show_the_first_images_with_their_names(tmp_path):
    named = {"ids": [f"id {i}" for i in range(8)], "labels": [*range(8)], "shown": 3}
    reading = probe(tmp_path, **named, name="baseline").observe(Net(), epoch=4)
    assert [(p.network, p.image_id, p.label, p.epoch) for p in reading.pictures] == [
        ("baseline", f"id {i}", str(i), 4) for i in range(3)
    ]
    assert probe(tmp_path, shown=0).observe(Net(), epoch=0).pictures == ()


def test_pictures_show_what_display_makes_of_the_images(tmp_path):
    def display(image):
        assert image.shape == (3, 8, 8)
        return torch.full((8, 8, 1), 0.25).numpy()

    (picture,) = probe(tmp_path, shown=1, display=display).observe(Net(), epoch=0).pictures
    assert picture.pixels[0, 0].tolist() == [64, 64, 64]


def test_what_is_logged_has_no_numbers_without_a_value(tmp_path):
    watched = probe(tmp_path)
    first, second = (watched.observe(net, epoch=epoch).logged() for epoch, net in wandering(1))
    shares = {f"probe/stability_so_far{part}" for part in ("", "_low", "_high")}
    assert set(second) - set(first) == shares
    names = ("n_foreground", "n_background", "relevance_ratio", "stability_so_far")
    expected = {f"probe/{name}{part}" for name in names for part in ("", "_low", "_high")}
    assert set(second) == expected | {"probe/weight_path"}

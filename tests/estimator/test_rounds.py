"""When an image is measured again, and when not."""

import pytest
import torch
from torch import nn

from kdprobe.estimator import Decomposed, EntropyEstimator, Protocol
from kdprobe.estimator.descent import Descent, entropy_of
from kdprobe.estimator.solvers import decomposed
from kdprobe.estimator.solvers.self_check import Verdict


@pytest.fixture
def net():
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 12)
    return nn.Sequential(*layers).double()


@pytest.fixture
def images():
    return torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def rounds(net, images, **settings):
    return EntropyEstimator(net, "4", solver=Decomposed(**settings), grid=4).estimate(images).stats["rounds"]


def test_an_image_that_is_sure_and_passes_its_check_is_done(net, images):
    assert rounds(net, images, tolerance=10.0, max_rounds=3) == [1.0, 1.0]


def test_a_failed_check_costs_all_rounds(net, images, monkeypatch):
    monkeypatch.setattr(Verdict, "passed", property(lambda _self: False))
    assert rounds(net, images, tolerance=10.0, max_rounds=3) == [3.0, 3.0]


def test_without_tolerance_there_is_one_round_whatever_the_check_says(net, images, monkeypatch):
    monkeypatch.setattr(Verdict, "passed", property(lambda _self: False))
    assert rounds(net, images, tolerance=None, max_rounds=3) == [1.0, 1.0]


def test_the_check_is_made_where_the_way_ends(net, images, monkeypatch):
    """Not at its flat start: cells differ there."""
    seen = []

    def watched(problem, generators, sigma, samples, linear):
        seen.append(sigma.clone())
        return original(problem, generators, sigma, samples, linear)

    original = decomposed.try_out
    monkeypatch.setattr(decomposed, "try_out", watched)
    rounds(net, images, tolerance=None)
    (sigma,) = seen
    assert (sigma.flatten(1).std(1) > 1e-4).all()


def test_a_mean_that_equals_the_target_has_reached_it():
    start = entropy_of(torch.full((1, 1, 1), 0.01, dtype=torch.float64)).mean()
    protocol = Protocol("exact", target_entropy=float(start), steps=1, extra_steps=0)
    descent = Descent(protocol, torch.tensor([1e-4], dtype=torch.float64), 1)
    assert descent.reached.all()

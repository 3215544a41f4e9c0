"""Solvers against closed forms and brute force, in float64 on tiny functions."""

import dataclasses

import pytest
import torch
from oracles.entropy import (
    energies_by_differences,
    linear_energies,
    published_procedure,
    quadratic_energies,
    recursion,
)
from torch import nn

from kdprobe.estimator import PROTOCOLS, Decomposed, EntropyEstimator, Sgd
from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.feature import Feature
from kdprobe.estimator.solvers import Problem
from kdprobe.estimator.solvers.problem import feature_scale
from kdprobe.records import Outcome

LINEAR = dataclasses.replace(PROTOCOLS["cheng2020"], name="linear", feature_activation="none")
SHAPE = (2, 8, 8)


def linear_net(features=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(128, features, bias=True)).double()
    gains = torch.randn(128, generator=generator, dtype=torch.float64).exp()
    net[1].weight.data = torch.randn(features, 128, generator=generator, dtype=torch.float64) * gains
    return net


def curved_net(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 7)
    ).double()
    return net


def images(count=3, seed=1):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(net, layer, batch, grid=4, activation="none", size=64, seed=0):
    feature = Feature(net, layer, activation, size)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    cells = CellGrid(grid, 8, 8, device=batch.device, dtype=batch.dtype)
    protocol = dataclasses.replace(LINEAR, feature_activation=activation)
    return Problem(feature, batch, feature(batch), cells, protocol, seed)


def test_decomposed_with_all_unit_vectors_is_the_closed_form_for_linear_f():
    net, batch = linear_net(), images()
    result = EntropyEstimator(net, "1", protocol=LINEAR, grid=4).estimate(batch)
    energy = linear_energies(net[1].weight.detach(), SHAPE, 4)
    for image in range(len(batch)):
        expected = recursion(lambda _s: energy, result.stats["feature_scale"][image], 4)
        expected = torch.tensor(expected, dtype=torch.float64)
        found = result.entropy[image]
        assert (found - found.mean() - (expected - expected.mean())).abs().max() < 1e-6
        assert result.std_error[image].max() < 1e-6


def test_probes_and_sgd_on_linear_f_within_their_standard_errors():
    net, batch = linear_net(features=40), images(4)
    energy = linear_energies(net[1].weight.detach(), SHAPE, 4)
    for solver in (Decomposed(), Sgd()):
        result = EntropyEstimator(net, "1", protocol=LINEAR, solver=solver, grid=4).estimate(batch)
        z = []
        for image in range(len(batch)):
            expected = recursion(lambda _s: energy, result.stats["feature_scale"][image], 4)
            z.append((result.entropy[image] - torch.tensor(expected)) / result.std_error[image])
        z = torch.stack(z)
        assert z.abs().max() < (
            6 if solver.as_dict()["name"] == "decomposed" else 4
        )  # t with 7 degrees of freedom
        assert 0.6 < z.square().mean().sqrt() < 1.6  # neither far too wide nor far too narrow


def test_feature_scale_is_the_closed_form_for_linear_f():
    net, batch = linear_net(), images(2)
    task = problem(net, "1", batch)
    exact = 1e-4 * float(net[1].weight.square().sum())
    draws = torch.stack(
        [
            feature_scale(
                dataclasses.replace(task, seed=s), dataclasses.replace(task, seed=s).generators(), 64
            )
            for s in range(30)
        ]
    )
    error = draws.std() / draws.numel() ** 0.5
    assert abs(draws.mean() - exact) < 4 * error


class Quadratic(nn.Module):
    """f_k(x) = xᵀ A_k x: no order above the second, so nothing is dropped by the decomposition."""

    def __init__(self, features=40, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        forms = torch.randn(features, 128, 128, generator=generator, dtype=torch.float64)
        bump = torch.randn(features, 128, generator=generator, dtype=torch.float64).exp()
        self.register_buffer("forms", (forms + forms.mT) / 2 + 10 * torch.diag_embed(bump))
        self.out = nn.Identity()

    def forward(self, x):
        rows = x.flatten(1)
        return self.out(torch.einsum("bi,kij,bj->bk", rows, self.forms, rows))


@pytest.mark.parametrize(("size", "shift_dominates"), [(1.0, False), (0.02, True)])
def test_energies_of_a_quadratic_are_the_closed_form(size, shift_dominates):
    """Within 4.5 standard errors, where the mean shift is little and where it is nearly all."""
    net, batch = Quadratic(), size * images(1)
    task = problem(net, "out", batch, size=512)
    sigma = torch.linspace(0.02, 0.06, 16, dtype=torch.float64).reshape(1, 4, 4)
    exact, share = quadratic_energies(net.forms, batch[0], sigma[0])
    assert (share > 0.8) == shift_dominates
    draws = torch.stack(
        [
            Decomposed(pairs=4).energies(task, dataclasses.replace(task, seed=s).generators(), sigma)[0]
            for s in range(300)
        ]
    )
    z = (draws.mean(0) - exact) / (draws.std(0) / len(draws) ** 0.5)
    assert z.abs().max() < 4.5


@pytest.mark.parametrize("activation", ["none", "relu"])
def test_energies_against_differences_of_the_distortion(activation):
    """Brute force on a ReLU net: V itself, differentiated numerically with many samples.

    What is left is the dropped higher-order fluctuation and noise: the sum must be right within 5 %, the map almost.
    """
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 7)
    ).double()
    batch = images(1)
    task = problem(net, "4", batch, activation=activation, size=512)
    sigma = torch.full((1, 4, 4), 0.05, dtype=torch.float64)
    noise = torch.randn(8000, *SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def function(rows):
        value = net(rows)
        return value.relu() if activation == "relu" else value

    truth = energies_by_differences(function, batch[0], sigma[0], noise)
    found = Decomposed(pairs=1500).energies(task, task.generators(), sigma)[0]
    assert torch.corrcoef(torch.stack([truth.flatten(), found.flatten()]))[0, 1] > 0.99
    assert abs(found.sum() / truth.sum() - 1) < 0.05


def test_yardstick_agrees_with_autograd_on_sigma():
    """Sgd takes its gradient by hand; the oracle lets autograd do it. Same procedure, different noise."""
    net, batch = curved_net(1), images(1)
    result = EntropyEstimator(net, "4", solver="sgd", grid=4).estimate(batch)
    generator = torch.Generator().manual_seed(3)
    runs = torch.stack(
        [published_procedure(lambda rows: net(rows).relu(), batch[0], 4, 96, generator) for _ in range(6)]
    )
    spread = (runs.var(0) * (1 + 1 / len(runs))).mean().sqrt()
    assert (result.entropy[0] - runs.mean(0)).square().mean().sqrt() < 1.8 * spread
    assert result.outcome == (Outcome.OK,)


def test_work_is_counted():
    net, batch = linear_net(), images(2)
    sgd = EntropyEstimator(net, "1", protocol=LINEAR, solver="sgd", grid=4).estimate(batch).stats
    assert sgd["work_backward"] == 2 * 60 * 96
    assert sgd["work_forward"] == 2 * (60 * 96 + 96 + 1)
    fast = EntropyEstimator(net, "1", protocol=LINEAR, grid=4).estimate(batch).stats
    assert fast["work_backward"] == 2 * 8 * 16 * 2
    assert fast["work_forward"] == 2 * (8 * 16 + 32 + 1)

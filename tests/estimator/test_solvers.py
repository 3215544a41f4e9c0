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
from kdprobe.estimator.solvers.decomposed import Energies, combine
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
        # What is left of noise is that of sigma_f², and the standard error says how much that is.
        exact = recursion(lambda _s: energy, 1e-4 * sum(map(sum, energy)), 4)
        exact = torch.tensor(exact, dtype=torch.float64)
        z = (found - found.mean() - (exact - exact.mean())) / result.std_error[image]
        assert 0.01 < z.abs().max() < 5


def test_probes_and_sgd_on_linear_f_within_their_standard_errors():
    net, batch = linear_net(features=40), images(4)
    energy = linear_energies(net[1].weight.detach(), SHAPE, 4)
    for solver in (Decomposed(), Sgd()):
        result = EntropyEstimator(net, "1", protocol=LINEAR, solver=solver, grid=4).estimate(batch)
        z, name = [], solver.as_dict()["name"]
        for image in range(len(batch)):
            expected = recursion(lambda _s: energy, result.stats["feature_scale"][image], 4)
            expected = torch.tensor(expected, dtype=torch.float64)
            difference = result.entropy[image] - expected
            if name == "decomposed":  # its standard errors are those of the contrast
                difference -= difference.mean()
            z.append(difference / result.std_error[image])
        z = torch.stack(z)
        assert z.abs().max() < (6 if name == "decomposed" else 4)  # 6: Student's t with 7 degrees of freedom
        assert 0.6 < z.square().mean().sqrt() < 1.6  # neither far too wide nor far too narrow


def test_feature_scale_is_the_closed_form_for_linear_f():
    net, batch = linear_net(), images(2)
    task = problem(net, "1", batch)
    exact = 1e-4 * float(net[1].weight.square().sum())
    found = [
        feature_scale(t, t.generators(), 64) for t in (dataclasses.replace(task, seed=s) for s in range(30))
    ]
    draws = torch.stack([scale for scale, _ in found])
    claimed = torch.stack([error for _, error in found])
    assert 0.7 < claimed.square().mean().sqrt() / draws.std() < 1.4
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
    """Within 4.5 standard errors, where the mean shift is little and where it is nearly all.

    No order above the second: Gauss-Newton is exact, and the measured excess is zero.
    """
    net, batch = Quadratic(), size * images(1)
    task = problem(net, "out", batch, size=512)
    sigma = torch.linspace(0.02, 0.06, 16, dtype=torch.float64).reshape(1, 4, 4)
    exact, share = quadratic_energies(net.forms, batch[0], sigma[0])
    assert (share > 0.8) == shift_dominates
    tasks = [dataclasses.replace(task, seed=s) for s in range(300)]
    measured = [Decomposed(pairs=4).measure(t, t.generators(), sigma) for t in tasks]

    def z(draws, expected):
        return (draws.mean(0) - expected) / (draws.std(0) / len(draws) ** 0.5)

    assert z(torch.stack([m.shift + m.fluctuation for m in measured])[:, 0], exact).abs().max() < 4.5
    for excess in ("excess_low", "excess_all"):
        assert z(torch.cat([getattr(m, excess) for m in measured]), 0.0).abs() < 4.5


def test_the_correction_finds_alpha_and_beta():
    """Energies whose true form is 0.8 GN - 0.1 mean(GN) are mended to just that; flat ones are scaled."""
    generator = torch.Generator().manual_seed(0)
    fluctuation = torch.rand(2, 4, 4, generator=generator, dtype=torch.float64) + 0.2
    fluctuation[1] = 1.0
    sigma = 0.01 + 0.005 * torch.rand(2, 4, 4, generator=generator, dtype=torch.float64)
    sigma[1] = 0.01
    level = fluctuation.mean((1, 2), keepdim=True)
    wanted = 0.8 * fluctuation - 0.1 * level
    low = fluctuation < level
    low[1, :2] = True
    lack = sigma**2 * (wanted - fluctuation)
    refresh = Energies(
        shift=torch.ones_like(sigma),
        fluctuation=fluctuation,
        sigma=sigma,
        low=low,
        excess_low=(low * lack).sum((1, 2)),
        excess_all=lack.sum((1, 2)),
    )
    energy, alpha, beta = combine([refresh, refresh])
    torch.testing.assert_close(energy, 1 + wanted)
    torch.testing.assert_close(alpha[0], torch.tensor(0.8, dtype=torch.float64))
    torch.testing.assert_close(beta[0], torch.tensor(-0.1, dtype=torch.float64))


@pytest.mark.parametrize("activation", ["none", "relu"])
def test_energies_against_differences_of_the_distortion(activation):
    """Brute force on a ReLU net at a noise level where Gauss-Newton alone is off: V itself, differentiated numerically.

    What is left is noise and how the correction is spread: the sum must be right within 3 %, the map almost.
    """
    net, batch = curved_net(), images(1)
    task = problem(net, "4", batch, activation=activation, size=512)
    sigma = torch.full((1, 4, 4), 0.15, dtype=torch.float64)
    noise = torch.randn(8000, *SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def function(rows):
        value = net(rows)
        return value.relu() if activation == "relu" else value

    truth = energies_by_differences(function, batch[0], sigma[0], noise)
    measured = Decomposed(pairs=2000).measure(task, task.generators(), sigma)
    found, alpha, _ = combine([measured])
    gauss_newton = (measured.shift + measured.fluctuation)[0]
    assert gauss_newton.sum() / truth.sum() > 1.08
    assert alpha < 0.95
    assert abs(found.sum() / truth.sum() - 1) < 0.03
    assert torch.corrcoef(torch.stack([truth.flatten(), found.flatten()]))[0, 1] > 0.99


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
    # a refresh: 16 noisy points, and along the noise 2 finite differences at each of two points for half of them
    assert fast["work_forward"] == 2 * (8 * (16 + 4 * 8) + 96 + 1)

"""The linear part, sigma_f² with its help, and what forward passes say of sums of the energies."""

import dataclasses
import math

import pytest
import torch
from oracles.entropy import cell_sums, distortion, linear_energies
from torch import nn

from kdprobe.estimator import PROTOCOLS
from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.feature import Feature
from kdprobe.estimator.solvers import Problem
from kdprobe.estimator.solvers.linear import LinearPart, feature_scale
from kdprobe.estimator.solvers.self_check import Trial, Trials, Verdict, try_out

SHAPE = (2, 6, 6)
CELLS = CellGrid(3, 6, 6, device=torch.device("cpu"), dtype=torch.float64)


def normal(*shape, seed=0):
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


class Curved(nn.Module):
    def __init__(self, curvature):
        super().__init__()
        self.linear, self.form = normal(4, 72), curvature * normal(4, 72, 72, seed=1) / 72**0.5
        self.out = nn.Identity()

    def forward(self, x):
        rows = x.flatten(1)
        return self.out(rows @ self.linear.T + torch.einsum("bi,kij,bj->bk", rows, self.form, rows))


def problem(net, images, size=64, activation="none"):
    feature = Feature(net, "out", activation, size)
    protocol = dataclasses.replace(PROTOCOLS["cheng2020"], feature_activation=activation)
    return Problem(feature, images, feature(images), CELLS, protocol, 0)


def test_the_linear_part_and_its_expectation():
    gradients, noise = normal(3, *SHAPE), normal(5, *SHAPE, seed=1)
    part = LinearPart(gradients, CELLS)
    for row in range(5):
        expected = sum(float((g * noise[row]).sum()) ** 2 for g in gradients)
        assert float(part.response(noise)[row]) == pytest.approx(expected)
    torch.testing.assert_close(part.columns, sum(cell_sums(g * g, 3) for g in gradients))


def test_sigma_f_of_linear_f_is_exact_and_knows_it():
    gradients, noise = normal(4, *SHAPE), 0.01 * normal(8, *SHAPE, seed=1)
    change = torch.einsum("schw,kchw->sk", noise, gradients)
    scale, deviations = feature_scale(change, noise, 0.01, LinearPart(gradients, CELLS))
    assert float(scale) == pytest.approx(1e-4 * float(gradients.square().sum()))
    assert deviations.abs().max() < 1e-9


@pytest.mark.parametrize("error", [0.0, 0.3, 3.0])
def test_sigma_f_has_no_bias_and_an_honest_error_however_poor_the_linear_part(error):
    """The poorer it is, the less it counts."""
    level, net, generator = 0.3, Curved(0.5), torch.Generator().manual_seed(2)
    image = torch.zeros(1, *SHAPE, dtype=torch.float64)
    gradients = (net.linear + error * normal(4, 72, seed=3)).reshape(4, *SHAPE)
    part = LinearPart(gradients, CELLS)
    noises = level * normal(500, 28, *SHAPE, seed=generator)
    found = [feature_scale(net(image + noise) - net(image), noise, level, part) for noise in noises]
    scales = torch.stack([scale for scale, _ in found])
    claimed = torch.stack([(scale * off).square().sum() for scale, off in found])
    form = (net.form + net.form.mT) / 2
    traces = torch.einsum("kii->k", form).square().sum() + 2 * form.square().sum()
    truth = float(level**2 * net.linear.square().sum() + level**4 * traces)
    assert abs(scales.mean() / truth - 1) < 0.02
    assert 0.75 < claimed.mean() / scales.var() < 1.25
    plain = net(noises.flatten(0, 1)).square().sum(1).reshape(500, 28).mean(1)
    assert scales.var() < (0.7 if error == 0 else 1.1) * plain.var()


def test_sigma_f_falls_back_on_the_plain_mean_where_the_linear_part_says_nothing():
    noise = 0.01 * normal(8, *SHAPE, seed=1)
    change = normal(8, 4, seed=2)
    for gradients in (torch.zeros(1, *SHAPE).double(), torch.full((1, *SHAPE), math.nan).double()):
        scale, off = feature_scale(change, noise, 0.01, LinearPart(gradients, CELLS))
        sample = change.square().sum(1)
        assert float(scale) == pytest.approx(float(sample.mean()))
        assert float(off.square().sum()) == pytest.approx(float(sample.var() / 8 / sample.mean() ** 2))
    scale, off = feature_scale(0 * change, noise, 0.01, LinearPart(normal(1, *SHAPE), CELLS))
    assert float(scale) == 0 and bool((off == 0).all())


def test_a_coefficient_above_one_or_below_zero_is_not_believed():
    noise = 0.1 * normal(6, *SHAPE, seed=1)
    part = LinearPart(normal(1, *SHAPE, seed=4), CELLS)
    response = part.response(noise)
    expectation = 0.01 * float(part.columns.sum())
    strong = (7 + 3 * response).sqrt()[:, None]
    scale, _ = feature_scale(strong, noise, 0.1, part)
    assert float(scale) == pytest.approx(float((7 + 2 * response).mean()) + expectation)
    against = (100 - response).sqrt()[:, None]
    scale, _ = feature_scale(against, noise, 0.1, part)
    assert float(scale) == pytest.approx(float((100 - response).mean()))


def test_slopes_of_linear_f_are_what_its_energies_predict():
    net, images = Curved(0.0), normal(2, *SHAPE, seed=7)
    task = problem(net, images, size=7)
    sigma = 0.02 + 0.02 * torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    energy = torch.tensor(linear_energies(net.linear, SHAPE, 3), dtype=torch.float64)
    before = task.feature.work.forward
    whole = LinearPart(net.linear.reshape(4, *SHAPE), CELLS)
    trials = try_out(task, task.generators(), sigma, 3, [whole, whole])
    assert task.feature.work.forward - before == 2 * 4 * 3
    for trial in trials:
        torch.testing.assert_close(trial.slopes, trial.predicted(energy), rtol=1e-6, atol=0)
        assert not torch.equal(trial.slopes[1, 0], trial.slopes[1, 1])  # patterns of their own
    c = 1.1
    torch.testing.assert_close(
        trials[1].predicted(energy)[0],
        ((energy * sigma[1] ** 2).sum() * (c**2 - c**-2) / (2 * math.log(c))).expand(3),
    )


def test_slopes_are_those_of_the_distortion_without_any_linear_part():
    """Along all cells and along random patterns, on a function that is far from linear."""
    net, images = Curved(3.0), 0.2 * normal(1, *SHAPE, seed=7)
    task = problem(net, images, size=512)
    sigma = 0.1 + 0.1 * torch.rand(1, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    nothing = LinearPart(torch.zeros(1, *SHAPE).double(), CELLS)
    useful = LinearPart(net.linear.reshape(4, *SHAPE), CELLS)
    generators = task.generators()
    plain = try_out(task, generators, sigma, 4000, [nothing])[0]
    helped = try_out(task, generators, sigma, 4000, [useful])[0]
    noise = normal(10000, *SHAPE, seed=9)
    for trial in (plain, helped):
        up = distortion(net, images[0], sigma[0] * 1.1, noise)
        down = distortion(net, images[0], sigma[0] / 1.1, noise)
        error = float(trial.slopes[0].std()) / 4000**0.5
        assert abs(float(trial.slopes[0].mean() - (up - down) / (2 * math.log(1.1)))) < 5 * error
    # Patterns: the regression of the slopes on the weights gives the energies back, cell by cell.
    found = torch.linalg.lstsq(helped.weights[1].flatten(1), helped.slopes[1][:, None]).solution[:, 0]
    step, expected = 1.02, []
    for i in range(9):
        factor = torch.ones(9, dtype=torch.float64)
        factor[i] = step
        up = distortion(net, images[0], sigma[0] * factor.view(3, 3), noise)
        down = distortion(net, images[0], sigma[0] / factor.view(3, 3), noise)
        expected.append(float((up - down) / (4 * math.log(step))) / float(sigma[0].flatten()[i] ** 2))
    expected = torch.tensor(expected, dtype=torch.float64)
    assert torch.corrcoef(torch.stack([found, expected]))[0, 1] > 0.95
    assert abs(found.sum() / expected.sum() - 1) < 0.1


def trial_of(slopes, patterns, total):
    """Energies of 1 in one cell predict `total` along all cells and 0 along the patterns."""
    weights = torch.tensor([[[[total]]], [[[0.0]]]], dtype=torch.float64).expand(2, len(slopes), 1, 1)
    return Trial(torch.tensor([slopes, patterns], dtype=torch.float64), weights)


ONE = torch.ones(1, 1, dtype=torch.float64)


def test_the_blend_is_the_posterior_on_a_grid():
    """Normal prior, normal likelihood of the mean slope, done by adding up numbers."""
    trials = Trials()
    trials.add(trial_of([10.2, 9.9, 11.0], [0, 0, 0], 10.0))
    trials.add(trial_of([10.7, 10.1], [0, 0], 10.0))
    blend, error = trials.blend(ONE, 1.2 * ONE, 0.15, 0.2)
    slopes = torch.tensor([10.2, 9.9, 11.0, 10.7, 10.1], dtype=torch.float64)
    single = (
        (4 * slopes.var() + 4 * 3.0**2) / 8
    ).sqrt()  # what is measured, and four worth of 0.3 of the sum
    grid = torch.linspace(-3, 4, 20001, dtype=torch.float64)
    log = -((grid - 0.15) ** 2) / 2 / 0.2**2 - (slopes.mean() - 10 - 2 * grid) ** 2 / 2 / (single**2 / 5)
    weight = (log - log.max()).exp()
    weight = weight / weight.sum()
    mean = (weight * grid).sum()
    assert blend == pytest.approx(float(mean), abs=1e-6)
    assert error == pytest.approx(float((weight * (grid - mean) ** 2).sum().sqrt()), abs=1e-6)


def test_the_prior_rules_where_smooth_and_rough_are_alike():
    trials = Trials()
    trials.add(trial_of([12.0, 13.0], [0, 0], 10.0))
    assert trials.blend(ONE, ONE, 0.15, 0.2) == pytest.approx((0.15, 0.2))
    trials.add(trial_of([math.nan, 13.0], [0, 0], 10.0))
    assert trials.blend(ONE, 2 * ONE, 0.15, 0.2) == (0.15, 0.2)


def test_the_blend_follows_many_slopes():
    generator, trials = torch.Generator().manual_seed(0), Trials()
    for _ in range(100):
        slopes = 10 + 0.8 * 4 + normal(4, seed=generator)
        trials.add(trial_of(slopes.tolist(), [0] * 4, 10.0))
    blend, error = trials.blend(ONE, 1.4 * ONE, 0.15, 0.2)
    assert abs(blend - 0.8) < 4 * error < 0.06


def test_the_verdict_in_shares_of_the_sum():
    trials = Trials()
    trials.add(trial_of([11.0, 13.0], [1.0, -4.0], 10.0))
    verdict = trials.verdict(ONE)
    assert verdict.surplus == pytest.approx(0.2)
    assert verdict.noise == pytest.approx(((1 * 2.0 + 4 * 9.0) / 5) ** 0.5 / 10)
    assert verdict.surplus_error == pytest.approx(verdict.noise / 2**0.5)
    assert verdict.pattern == pytest.approx(8.5**0.5 / 10)


@pytest.mark.parametrize(
    ("surplus", "surplus_error", "pattern", "noise", "passed"),
    [
        (0.09, 0.001, 0.0, 0.0, True),
        (0.11, 0.03, 0.0, 0.0, False),
        (-0.11, 0.03, 0.0, 0.0, False),
        (0.11, 0.04, 0.0, 0.0, True),
        (0.0, 0.0, 0.09, 0.0, True),
        (0.0, 0.0, 0.2, 0.06, False),
        (0.0, 0.0, 0.2, 0.07, True),
    ],
)
def test_what_passes(surplus, surplus_error, pattern, noise, passed):
    assert Verdict(surplus, surplus_error, pattern, noise).passed == passed

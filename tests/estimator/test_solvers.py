"""Solvers against closed forms and brute force, in float64 on tiny functions."""

import dataclasses
import math

import pytest
import torch
from oracles.entropy import (
    energies_by_differences,
    linear_energies,
    published_procedure,
    quadratic_energies,
    recursion,
    shift_energies,
)
from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.estimator import PROTOCOLS, Decomposed, EntropyEstimator, Jacobian, Pathwise, Protocol, Sgd
from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.descent import HALF_LOG_2_PI_E
from kdprobe.estimator.feature import Feature
from kdprobe.estimator.solvers import Problem, decomposed
from kdprobe.estimator.solvers.rounds import Rounds
from kdprobe.records import Outcome

LINEAR = dataclasses.replace(PROTOCOLS["cheng2020"], name="linear", feature_activation="none")
SHAPE = (2, 8, 8)
#: 24 probes; tests hold whatever the defaults are
BUDGET = {"pairs": 6, "refreshes": 4, "scale_samples": 28, "check_samples": 4}


def linear_net(features=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(128, features, bias=True)).double()
    gains = torch.randn(128, generator=generator, dtype=torch.float64).exp()
    net[1].weight.data = torch.randn(features, 128, generator=generator, dtype=torch.float64) * gains
    return net


def curved_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 7)
    ).double()


def images(count=3, seed=1):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def estimate(net, layer, batch, solver, protocol=LINEAR, seed=0, size=64):
    estimator = EntropyEstimator(
        net, layer, protocol=protocol, solver=solver, grid=4, seed=seed, internal_batch_size=size
    )
    return estimator.estimate(batch)


def contrast(maps):
    return maps - maps.mean((-2, -1), keepdim=True)


def at_flat_sigma(sigma, activation="none"):
    """One tiny step from a flat start: energies are measured there, and the map says what they were."""
    return Protocol(
        "flat",
        sigma_start=sigma,
        feature_scale_sigma=sigma,
        sigma_min=sigma / 10,
        sigma_max=10 * sigma,
        steps=1,
        extra_steps=0,
        learning_rate=1e-7,
        entropy_weight=1e4,
        target_entropy=9.0,
        feature_activation=activation,
    )


def energies_of(result, protocol):
    """What energies made the one step (N, g, g): a = (weight / (cells s) - (s' - s) / rate) sigma_f² / (2 s)."""
    assert result.stats["reported_step"] == [1] * len(result.entropy)
    start, cells = protocol.sigma_start, result.entropy[0].numel()
    moved = (result.entropy - HALF_LOG_2_PI_E).exp() - start
    rate = protocol.learning_rate * cells / protocol.reference_cells
    scale = torch.tensor(result.stats["feature_scale"], dtype=torch.float64)[:, None, None]
    return (protocol.entropy_weight / (cells * start) - moved / rate) * scale / (2 * start)


@pytest.mark.parametrize("solver", [Decomposed(**BUDGET), Jacobian()], ids=["decomposed", "jacobian"])
@pytest.mark.parametrize("features", [1, 5, 24])
def test_all_unit_vectors_give_the_closed_form_for_linear_f(solver, features):
    """To 1e-6, sigma_f² and all: what is linear is not sampled."""
    net, batch = linear_net(features), images()
    energy = linear_energies(net[1].weight.detach(), SHAPE, 4)
    expected = recursion(lambda _s: energy, 1e-4 * sum(map(sum, energy)), 4)
    expected = torch.tensor(expected, dtype=torch.float64)
    result = estimate(net, "1", batch, solver)
    assert (contrast(result.entropy) - contrast(expected)).abs().max() < 1e-6
    assert (result.entropy - expected).abs().max() < 1e-6
    assert (
        result.std_error.max() < 1e-4
    )  # decomposed does not know that f is linear: the blend's error times rounding
    assert result.outcome == (Outcome.OK,) * 3


@pytest.mark.parametrize(
    ("solver", "features", "limit"),
    [
        (Decomposed(**BUDGET), 40, 4.0),
        (Jacobian(probes=16), 40, 5.0),
        (Pathwise(pairs=64), 5, 4.5),
        (Sgd(), 5, 5.0),
    ],
    ids=["decomposed", "jacobian", "pathwise", "sgd"],
)
def test_stochastic_solvers_on_linear_f_within_their_standard_errors(solver, features, limit):
    """The limit follows the degrees of freedom of the error: 12 probes, 16, 32 groups, 16 groups."""
    net, batch = linear_net(features), images(4)
    energy = linear_energies(net[1].weight.detach(), SHAPE, 4)
    expected = recursion(lambda _s: energy, 1e-4 * sum(map(sum, energy)), 4)
    result = estimate(net, "1", batch, solver)
    z = (contrast(result.entropy) - contrast(torch.tensor(expected, dtype=torch.float64))) / result.std_error
    assert z.abs().max() < limit
    assert 0.6 < z.square().mean().sqrt() < 1.5  # neither far too wide nor far too narrow
    torch.testing.assert_close(
        result.noise.double().square().sum(1).sqrt(), result.std_error, rtol=1e-5, atol=1e-7
    )


class Quadratic(nn.Module):
    """f_k(x) = xᵀ A_k x: no order above the second, so E‖J‖² is the fluctuation's energy, not ‖E J‖²."""

    def __init__(self, features=10, seed=0, bump=10.0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        forms = torch.randn(features, 128, 128, generator=generator, dtype=torch.float64)
        bumps = torch.randn(features, 128, generator=generator, dtype=torch.float64).exp()
        self.register_buffer("forms", (forms + forms.mT) / 2 + bump * torch.diag_embed(bumps))
        self.out = nn.Identity()

    def forward(self, x):
        rows = x.flatten(1)
        return self.out(torch.einsum("bi,kij,bj->bk", rows, self.forms, rows))


@pytest.mark.slow  # long runs of samples
@pytest.mark.parametrize(("size", "shift_dominates"), [(1.0, False), (0.02, True)])
@pytest.mark.parametrize("features", [10, 40])
def test_energies_of_a_quadratic_are_the_closed_form(size, shift_dominates, features):
    """All noise of the blend taken away: no bias, where the mean shift is little and where it is nearly all."""
    net, batch = Quadratic(features), size * images(1)
    protocol = at_flat_sigma(0.04)
    exact, share = quadratic_energies(net.forms, batch[0], torch.full((4, 4), 0.04, dtype=torch.float64))
    assert (share > 0.8) == shift_dominates
    solver = Decomposed(tolerance=None, blend=1.0, blend_error=1e-9, pairs=4)
    found = [energies_of(estimate(net, "out", batch, solver, protocol, s), protocol)[0] for s in range(60)]
    found = torch.stack(found)
    z = (found.mean(0) - exact) / (found.std(0) / len(found) ** 0.5)
    assert z.abs().max() < 4.5
    assert abs(found.sum((1, 2)).mean() / exact.sum() - 1) < 0.05


def test_pathwise_has_no_bias_on_a_quadratic():
    net, batch, protocol = Quadratic(), 0.1 * images(1), at_flat_sigma(0.04)
    exact, _ = quadratic_energies(net.forms, batch[0], torch.full((4, 4), 0.04, dtype=torch.float64))
    runs = [estimate(net, "out", batch, Pathwise(pairs=32), protocol, s) for s in range(30)]
    found = torch.stack([energies_of(run, protocol)[0] for run in runs])
    z = (found.mean(0) - exact) / (found.std(0) / len(found) ** 0.5)
    assert z.abs().max() < 4.5


def test_the_blend_moves_to_one_on_smooth_f():
    """ReLU networks start at 0.15; the slopes of a quadratic say 1, the more rounds the surer."""
    net, batch, protocol = Quadratic(bump=0.0), 0.1 * images(1), at_flat_sigma(0.1)
    blends = [
        estimate(
            net, "out", batch, Decomposed(tolerance=1e-30, max_rounds=r, blend_error=1.0), protocol
        ).stats["blend"][0]
        for r in (1, 8, 64)
    ]
    assert 0.1 < blends[0] < blends[1] < blends[2]
    assert 0.85 < blends[2] < 1.15


@pytest.mark.slow  # long runs of samples
@pytest.mark.parametrize("activation", ["none", "relu"])
def test_energies_of_a_relu_net_against_differences_of_the_distortion(activation):
    """Brute force far from the linear: V itself, differentiated numerically. `pathwise` is exact, `decomposed` near."""
    net, batch = curved_net(), images(1)
    protocol = at_flat_sigma(0.15, activation)
    noise = torch.randn(10000, *SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def function(rows):
        value = net(rows)
        return value.relu() if activation == "relu" else value

    truth = energies_by_differences(function, batch[0], torch.full((4, 4), 0.15, dtype=torch.float64), noise)
    exact = estimate(net, "4", batch, Pathwise(pairs=800), protocol, size=512)
    found = energies_of(exact, protocol)[0]
    assert abs(found.sum() / truth.sum() - 1) < 0.02
    assert (found - truth).square().mean().sqrt() < 0.07 * truth.mean()
    near = energies_of(
        estimate(net, "4", batch, Decomposed(tolerance=1e-30, max_rounds=24), protocol), protocol
    )[0]
    assert abs(near.sum() / truth.sum() - 1) < 0.04
    assert torch.corrcoef(torch.stack([truth.flatten(), near.flatten()]))[0, 1] > 0.99


def test_the_jacobian_is_the_limit_of_small_noise():
    """Energies and sigma_f² of `pathwise` at a sigma at which a ReLU net is linear."""
    net, batch = curved_net(), images(2)
    protocol = dataclasses.replace(LINEAR, sigma_start=1e-6, feature_scale_sigma=1e-6, sigma_min=1e-7)
    limit = estimate(net, "4", batch, Jacobian(), protocol)
    scale = torch.tensor(limit.stats["feature_scale"])
    exact = torch.tensor(
        [
            1e-12 * float(torch.autograd.functional.jacobian(lambda x: net(x[None])[0], image).square().sum())
            for image in batch
        ]
    )
    torch.testing.assert_close(scale, exact)
    flat = at_flat_sigma(1e-6)
    one = energies_of(estimate(net, "4", batch, Jacobian(), flat), flat)
    other = energies_of(estimate(net, "4", batch, Pathwise(pairs=512), flat, size=512), flat)
    assert abs(one.sum() / other.sum() - 1) < 0.1
    assert torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1] > 0.98


@pytest.mark.parametrize("pairs", [2, 3, 4, 6])
@pytest.mark.parametrize("size", [64, 5])
def test_the_mean_shift_is_cross_fitted(pairs, size):
    """No pair meets its own mean: against loops that write down every product, whatever the passes."""
    net, batch = Quadratic(4), images(2)
    cells = CellGrid(4, 8, 8, device=batch.device, dtype=batch.dtype)
    feature = Feature(net, "out", "none", size)
    problem = Problem(feature, batch, feature(batch), cells, LINEAR, 0)
    sigma = 0.05 + 0.05 * torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    class NoPulls:
        def next_vectors(self, count):
            return torch.zeros(2 * count, 4, dtype=torch.float64)

        def add(self, pulled):
            assert len(pulled) == 2 * pairs

    found = Decomposed(pairs=pairs)._refresh(problem, problem.generators(), [NoPulls()] * 2, sigma)
    assert len(found) == 2 and found.shape[2:] == (4, 4)
    for image in range(2):
        half = torch.randn(pairs, *SHAPE, generator=problem.generators()[image], dtype=torch.float64)
        half = half * cells.spread(sigma[image])
        offset = torch.stack([half, -half])
        points = batch[image] + offset
        change = net(points.flatten(0, 1)).unflatten(0, (2, pairs)) - net(batch[image][None])
        jacobians = 2 * torch.einsum("kij,spj->spki", net.forms, points.flatten(2)).unflatten(3, SHAPE)
        expected = shift_energies(change, jacobians, offset, sigma[image])
        torch.testing.assert_close(found[image].mean(0), expected)


@pytest.mark.slow  # many repetitions
def test_the_error_of_the_mean_shift_counts_the_noise_of_the_mean(monkeypatch):
    """Pairs of one refresh meet nearly the same mean: taken for independent they would hide half of the variance."""
    rounds, original = [], Rounds._add

    def add(self, images, found, number):
        rounds.extend(found)
        original(self, images, found, number)

    monkeypatch.setattr(Rounds, "_add", add)
    net, solver = Quadratic(4), Decomposed(tolerance=None, pairs=4, refreshes=4)
    for seed in range(300):
        estimate(net, "out", 0.2 * images(1), solver, at_flat_sigma(0.04), seed)
    # Pair means of a quadratic's Jacobian have no noise: what is left is the shift's.
    found = torch.stack([one.shift for one in rounds])
    claimed = torch.stack([one.energy_deviations.square().sum(0) for one in rounds])
    assert (
        torch.stack([one.jacobians[0] for one in rounds]).std(0).max() < 1e-6 * rounds[0].jacobians[0].max()
    )
    ratio = claimed.mean(0) / found.var(0)
    assert 0.8 < ratio.mean() < 1.2, ratio


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


SOLVERS = [Decomposed(), Pathwise(pairs=16), Jacobian(), Sgd()]
SHORT = dataclasses.replace(PROTOCOLS["cheng2020"], samples_per_step=16)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("features", [7, 40])
def test_rescaling_the_feature_changes_nothing(solver, features):
    net = nn.Sequential(*curved_net()[:4], nn.Linear(96, features)).double()
    net[4].weight.data = torch.randn(features, 96, generator=torch.Generator().manual_seed(0)).double()
    reference = estimate(net, "4", images(2), solver, SHORT)
    assert reference.outcome == (Outcome.OK,) * 2
    for scale in (1e-20, 1e20):
        net[4].weight.data *= scale
        net[4].bias.data *= scale
        result = estimate(net, "4", images(2), solver, SHORT)
        assert result.outcome == (Outcome.OK,) * 2
        assert (result.entropy - reference.entropy).abs().max() < 1e-9
        assert (result.std_error - reference.std_error).abs().max() < 1e-9
        net[4].weight.data /= scale
        net[4].bias.data /= scale


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("features", [7, 40])
@pytest.mark.parametrize("scale", [1e-20, 1e18])
def test_rescaling_the_feature_in_float32(solver, features, scale):
    net = nn.Sequential(*curved_net()[:4], nn.Linear(96, features)).float()
    net[4].weight.data = torch.randn(features, 96, generator=torch.Generator().manual_seed(0))
    reference = estimate(net, "4", images(2).float(), solver, SHORT)
    net[4].weight.data *= scale
    net[4].bias.data *= scale
    result = estimate(net, "4", images(2).float(), solver, SHORT)
    assert (result.entropy - reference.entropy).abs().max() < 1e-4


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["weight", "bias"])
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("features", [7, 100])
def test_one_unit_that_broke_is_an_outcome(bad, where, solver, features):
    """Where every unit has its probe and where directions are looked for."""
    net = nn.Sequential(*curved_net()[:4], nn.Linear(96, features)).double()
    getattr(net[4], where).data[0] = bad
    protocol = dataclasses.replace(SHORT, feature_activation="none", steps=3)
    result = estimate(net, "4", images(2), solver, protocol)
    assert result.outcome == (Outcome.NON_FINITE_ACTIVATION,) * 2
    assert result.entropy.isnan().all() and result.std_error.isnan().all() and result.noise.isnan().all()


def test_work_is_counted_by_the_rule():
    """Forward 1, backward 1, forward-only and preparation too; one pass finds the batch size, another prepares."""
    net, batch = linear_net(), images(2)
    per_image = {
        Sgd(): (60 * 96 + 96 + 1, 60 * 96),
        Decomposed(**BUDGET): (4 * 12 + 28 + 4 * 4 + 1, 2 * 4 * 12),
        Decomposed(pairs=3, refreshes=2, scale_samples=9, check_samples=2): (2 * 6 + 9 + 8 + 1, 2 * 2 * 6),
        Pathwise(pairs=24, refreshes=3, scale_samples=10): (3 * 48 + 10 + 1, 3 * 48),
        Jacobian(): (5 + 1, 5),
    }
    for solver, (forward, backward) in per_image.items():
        stats = estimate(net, "1", batch, solver).stats
        assert (stats["work_forward"], stats["work_backward"]) == (2 * forward + 2, 2 * backward), solver
    several = estimate(net, "1", batch, Decomposed(tolerance=1e-30, max_rounds=3, **BUDGET)).stats
    assert several["rounds"] == [3.0, 3.0]
    assert several["work_forward"] == 2 * (3 * 92 + 1) + 2
    sought = estimate(
        net, "1", batch, Decomposed(**BUDGET), dataclasses.replace(LINEAR, report="stationary")
    ).stats
    assert sought["work_forward"] == 2 * (2 * 92 + 1) + 2  # a first round shows where the stationary point is


def test_passes_that_do_not_hold_all_rows_of_an_image_cost_a_forward_more():
    stats = estimate(linear_net(), "1", images(2), Decomposed(**BUDGET), size=5).stats
    assert stats["work_forward"] == 2 * (4 * 2 * 12 + 28 + 16 + 1) + 2


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("size", [1, 5, 30])
def test_no_pass_is_larger_than_asked_and_the_size_does_not_matter(solver, size):
    net, rows = curved_net(), []
    protocol = dataclasses.replace(SHORT, steps=5, extra_steps=0)
    reference = estimate(net, "4", images(3), solver, protocol, size=1024)
    net[0].register_forward_pre_hook(lambda _m, inputs: rows.append(len(inputs[0])))
    result = estimate(net, "4", images(3), solver, protocol, size=size)
    assert max(rows) <= size
    assert result.stats["internal_batch_size"] == size
    assert (result.entropy - reference.entropy).abs().max() < 1e-9
    assert (result.std_error - reference.std_error).abs().max() < 1e-9


@pytest.mark.slow  # every solver twice
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("features", [7, 60])
def test_batch_size_in_float32(solver, features):
    """The contract's 1e-4, where differences f(x') - f(x) of a few thousandths meet rounding. Measured: 1e-6."""
    net = nn.Sequential(*curved_net()[:4], nn.Linear(96, features)).float()
    large, small, one = (
        estimate(net, "4", images(3).float(), solver, SHORT, size=size).entropy for size in (256, 7, 1)
    )
    assert max(float((large - small).abs().max()), float((large - one).abs().max())) < 2e-5


def test_settings_that_cannot_be():
    for setting in ("pairs", "refreshes", "check_samples", "scale_samples", "max_rounds"):
        with pytest.raises(ConfigError, match=f"needs {setting}"):
            Decomposed(**{setting: 0})
    for tolerance in (0.0, -1.0, math.nan):
        with pytest.raises(ConfigError, match="tolerance"):
            Decomposed(tolerance=tolerance)
    for setting in ("pairs", "refreshes", "scale_samples"):
        with pytest.raises(ConfigError, match="pathwise needs"):
            Pathwise(**{setting: 1})
    with pytest.raises(ConfigError, match="probes"):
        Jacobian(probes=1)


def test_sigma_at_every_refresh(monkeypatch):
    """Energies are measured where the descent has come to, not at the start and not at the end alone."""
    seen, original = [], decomposed.Decomposed._refresh

    def refresh(self, problem, generators, pulls, sigma):
        seen.append(sigma.clone())
        return original(self, problem, generators, pulls, sigma)

    monkeypatch.setattr(decomposed.Decomposed, "_refresh", refresh)
    net = linear_net()
    energy = linear_energies(net[1].weight.detach(), SHAPE, 4)
    estimate(net, "1", images(1), Decomposed(tolerance=1e-30, max_rounds=2, pairs=6, refreshes=4))
    assert len(seen) == 8
    assert (seen[0] == 0.01).all()
    means = [float(sigma.mean()) for sigma in seen]
    assert means[:4] == sorted(means[:4]) and means[3] > means[0] * 1.3
    scale = 1e-4 * sum(map(sum, energy))
    for number, steps in zip(range(5, 8), (10, 20, 30), strict=True):
        trail = recursion(lambda _s: energy, scale, 4, steps=steps, extra=0, target=9.0)
        expected = (torch.tensor(trail, dtype=torch.float64) - HALF_LOG_2_PI_E).exp()
        assert (seen[number][0] / expected - 1).abs().max() < 0.1

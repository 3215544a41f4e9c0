"""Every protocol with every solver, on grids, images and layers of all kinds."""

import dataclasses
import math

import pytest
import torch
from oracles.entropy import linear_energies, loss
from torch import nn

from kdprobe import EntropyEstimator, Outcome
from kdprobe.errors import ConfigError
from kdprobe.estimator import PROTOCOLS, SOLVERS, Decomposed, Jacobian, Pathwise, Sgd
from kdprobe.estimator.descent import HALF_LOG_2_PI_E, entropy_of

SMALL = {
    "decomposed": Decomposed(pairs=2, refreshes=2, scale_samples=8, max_rounds=2),
    "pathwise": Pathwise(pairs=4, refreshes=2, scale_samples=8),
    "jacobian": Jacobian(probes=8),
    "sgd": Sgd(),
}


def net(channels=3, side=8, features=12):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * (side // 2) ** 2, features),
    ).double()


def pictures(count=2, channels=3, side=8):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, generator=generator, dtype=torch.float64)


def few_samples(protocol, **changes):
    protocol = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    return dataclasses.replace(protocol, samples_per_step=8, **changes)


def estimate(solver, protocol, images=None, grid=4, model=None, layer="4", size=64, seed=0):
    images = pictures() if images is None else images
    solver = SMALL.get(solver, solver) if isinstance(solver, str) else solver
    estimator = EntropyEstimator(
        model or net(images.shape[1], images.shape[2]),
        layer,
        protocol=protocol,
        solver=solver,
        grid=grid,
        internal_batch_size=size,
        seed=seed,
    )
    return estimator.estimate(images)


def check(result, grid):
    assert all(outcome.usable for outcome in result.outcome)
    assert result.entropy.shape[1:] == result.std_error.shape[1:] == (grid, grid)
    assert result.noise.shape[2:] == (grid, grid)
    assert result.entropy.isfinite().all() and result.noise.isfinite().all()
    assert (result.std_error >= 0).all() and result.std_error.isfinite().all()
    assert len(result.stats["clamped"]) == len(result.entropy)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_protocol_with_every_solver(protocol, solver):
    if (protocol, solver) == ("converged", "sgd"):
        with pytest.raises(
            ConfigError, match=r"^The solver sgd cannot follow the protocol 'converged'.*pathwise or"
        ):
            EntropyEstimator(net(), "4", protocol=protocol, solver=solver)
        return
    result = estimate(solver, few_samples(protocol))
    check(result, 4)
    assert result.outcome == (Outcome.OK,) * 2
    assert result.stats["protocol"]["name"] == protocol
    assert result.stats["solver"]["name"] == solver
    mean = result.entropy.mean((1, 2))
    if protocol.startswith("cheng2020"):
        assert ((mean + 2.8).abs() < 0.02).all()
    assert all((step == 0) == (protocol == "converged") for step in result.stats["reported_step"])


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_protocol_of_a_single_step(solver):
    protocol = few_samples("cheng2020", steps=1, extra_steps=0)
    result = estimate(solver, protocol)
    assert result.outcome == (Outcome.TARGET_NOT_REACHED,) * 2
    assert result.stats["reported_step"] == [1, 1]
    assert result.entropy.isfinite().all() and result.entropy.std() > 0
    result = estimate(
        solver, dataclasses.replace(protocol, report="target_distortion", target_distortion=1.0)
    )
    check(result, 4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_target_just_missed_is_flagged_and_one_just_passed_is_not(solver):
    missed = estimate(solver, few_samples("cheng2020", steps=4, extra_steps=0))
    assert missed.outcome == (Outcome.TARGET_NOT_REACHED,) * 2
    assert missed.stats["reported_step"] == [4, 4]
    start = 0.5 * math.log(2 * math.pi * math.e) + math.log(0.01)
    passed = estimate(solver, few_samples("cheng2020", steps=4, extra_steps=0, target_entropy=start + 0.01))
    assert passed.outcome == (Outcome.OK,) * 2
    # nearest to the target, but short of it
    high = float(missed.entropy[0].mean())
    near = estimate(solver, few_samples("cheng2020", steps=4, extra_steps=0, target_entropy=high + 0.004))
    assert near.outcome[0] is Outcome.TARGET_NOT_REACHED
    at_start = estimate(solver, few_samples("cheng2020", target_entropy=start))
    assert at_start.stats["reported_step"] == [0, 0]
    assert (at_start.entropy - start).abs().max() < 1e-12
    assert (at_start.std_error == 0).all()


TOGETHER = [
    (protocol, solver)
    for protocol in ("cheng2020", "fixed_distortion", "converged")
    for solver in SOLVERS
    if PROTOCOLS[protocol].report in SOLVERS[solver].reports
]


def test_only_sgd_cannot_converge():
    assert len(TOGETHER) == 11 and ("converged", "sgd") not in TOGETHER


@pytest.mark.parametrize(("protocol", "solver"), TOGETHER)
@pytest.mark.parametrize("grid", [1, 3, 8])
def test_grids_from_one_cell_to_every_pixel(protocol, solver, grid):
    result = estimate(solver, few_samples(protocol, steps=50), grid=grid)
    check(result, grid)
    if grid == 1:  # one cell is the image's mean: nothing to be off from
        assert (result.std_error == 0).all()
        assert (result.noise == 0).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("channels", [1, 4])
def test_channels(solver, channels):
    check(estimate(solver, few_samples("cheng2020"), pictures(channels=channels)), 4)


@pytest.mark.slow  # long runs of samples
@pytest.mark.parametrize("solver", SOLVERS)
def test_cells_of_uneven_size(solver):
    """227 pixels and 16 cells: cells of 14 and 15 pixels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.AvgPool2d(15), nn.Flatten(), nn.Linear(3 * 225, 5)).double()
    protocol = few_samples("cheng2020", steps=2, feature_activation="none")
    result = estimate(solver, protocol, pictures(1, side=227), 16, model, "2")
    check(result, 16)
    if solver != "jacobian":
        return
    energy = linear_energies(
        torch.autograd.functional.jacobian(lambda x: model(x[None])[0], pictures(1, side=227)[0]).flatten(1),
        (3, 227, 227),
        16,
    )
    assert result.stats["feature_scale"][0] == pytest.approx(1e-4 * sum(map(sum, energy)))
    order = torch.tensor(energy, dtype=torch.float64).flatten().argsort(descending=True)
    assert torch.equal(result.entropy[0].flatten().argsort(), order)


@pytest.mark.parametrize("solver", ["decomposed", "pathwise", "jacobian"])
def test_converged_reports_where_the_gradient_vanishes(solver):
    """For linear f: moving any cell makes the loss larger; cells that nothing depends on are at the clamp, counted."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 6)).double()
    weight = model[1].weight.data.reshape(6, 3, 8, 8)
    weight[:, :, :2, :4] = 0  # two cells of a 4 x 4 grid
    weight[:, :, 6:, 6:] *= 30  # and one that is kept to the last
    protocol = few_samples("converged", feature_activation="none", sigma_min=0.008)
    result = estimate(
        Pathwise(pairs=500) if solver == "pathwise" else SOLVERS[solver],
        protocol,
        model=model,
        layer="1",
        size=1024,
    )
    assert result.outcome == (Outcome.OK,) * 2
    sigma = (result.entropy - HALF_LOG_2_PI_E).exp()
    torch.testing.assert_close(sigma[:, 3, 3], torch.full((2,), 0.008, dtype=torch.float64))
    if solver == "pathwise":
        return
    torch.testing.assert_close(sigma[:, 0, :2], torch.ones(2, 2, dtype=torch.float64))
    assert result.stats["clamped"] == [3.0, 3.0]
    energy = linear_energies(model[1].weight.detach(), (3, 8, 8), 4)
    scale = 1e-4 * sum(map(sum, energy))
    here = loss(sigma[0].tolist(), energy, scale, 7.0)
    for i, j in ((1, 1), (2, 3), (0, 2), (3, 0)):
        for factor in (1.001, 1 / 1.001):
            moved = sigma[0].clone()
            moved[i, j] *= factor
            assert loss(moved.tolist(), energy, scale, 7.0) > here


@pytest.mark.slow  # long runs of samples
def test_converged_is_stationary_for_a_curved_feature_too():
    """The energies are those at the reported sigma: slopes of V there, by brute force, meet the entropy term's."""
    from oracles.entropy import energies_by_differences

    model, images = net(features=6), pictures(1)
    protocol = few_samples("converged", entropy_weight=2000.0, feature_activation="none")
    result = estimate(Pathwise(pairs=800), protocol, images, model=model, size=1024)
    sigma = (result.entropy[0] - HALF_LOG_2_PI_E).exp()
    assert sigma.mean() > 0.1
    assert result.stats["clamped"] == [0.0]
    noise = torch.randn(10000, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    truth = energies_by_differences(model, images[0], sigma, noise)
    needed = 2000 * result.stats["feature_scale"][0] / (2 * 16 * sigma**2)
    assert abs(needed.sum() / truth.sum() - 1) < 0.03
    assert torch.corrcoef(torch.stack([needed.flatten(), truth.flatten()]))[0, 1] > 0.97


def test_clamped_cells_are_counted_for_every_protocol():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).double()
    model[1].weight.data.reshape(4, 3, 8, 8)[:, :, :2, :2] *= 1e4  # one cell of 16
    for protocol in ("cheng2020", "fixed_distortion", "converged"):
        for solver in SOLVERS:
            if (protocol, solver) == ("converged", "sgd"):
                continue
            result = estimate(
                solver, few_samples(protocol, steps=40, feature_activation="none"), model=model, layer="1"
            )
            sigma = (result.entropy - HALF_LOG_2_PI_E).exp()
            at = (sigma < 0.001 * (1 + 1e-9)) | (sigma > 1 - 1e-9)
            assert result.stats["clamped"] == at.sum((1, 2)).double().tolist()
            if protocol == "converged" and solver == "jacobian":
                assert result.stats["clamped"] == [15.0, 15.0]


@pytest.mark.slow  # long runs of samples
def test_fixed_distortion_is_at_the_distortion_that_it_says():
    """V / sigma_f² at the reported sigma, by brute force, is 1.5 up to a step."""
    from oracles.entropy import distortion

    model, images = net(features=6), pictures(1)
    protocol = few_samples("fixed_distortion", feature_activation="none")
    noise = torch.randn(40000, 3, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for solver in (Decomposed(), Pathwise(), Sgd()):
        result = estimate(solver, dataclasses.replace(protocol, samples_per_step=96), images, model=model)
        sigma = (result.entropy[0] - HALF_LOG_2_PI_E).exp()
        value = distortion(model, images[0], sigma, noise)
        value = float(value / distortion(model, images[0], torch.full_like(sigma, 0.01), noise))
        assert abs(value - 1.5) < (0.2 if isinstance(solver, Sgd) else 0.1), solver


@pytest.mark.parametrize("tolerance", [0.05, 0.012, 1e-6])
def test_an_image_is_done_when_it_is_precise_and_checked_or_at_the_last_round(tolerance):
    solver = Decomposed(tolerance=tolerance, max_rounds=5)
    result = estimate(solver, few_samples("cheng2020"), pictures(4), model=net(features=60), size=128)
    rounds = result.stats["rounds"]
    for image, number in enumerate(rounds):
        passed = result.stats["check_passed"][image]
        assert number == 5 or (float(result.std_error[image].mean()) <= tolerance and passed)
        for fewer in range(1, int(number)):
            short = dataclasses.replace(solver, max_rounds=fewer)
            one = estimate(short, few_samples("cheng2020"), pictures(4), model=net(features=60), size=128)
            assert one.stats["rounds"][image] == fewer
            precise = float(one.std_error[image].mean()) <= tolerance
            assert not (precise and one.stats["check_passed"][image])
    assert max(rounds) == (5 if tolerance == 1e-6 else max(rounds))
    if tolerance == 0.012:
        assert len(set(rounds)) > 1 or set(rounds) != {5.0}


def test_images_are_done_independently_of_their_neighbours():
    """Each with its own number of rounds: alone, among others, and whatever shares its passes."""
    images = pictures(4)
    images[1] *= 3
    images[3] *= 0.1
    model, solver = net(features=60), Decomposed(tolerance=0.0052, max_rounds=6)
    for protocol in ("cheng2020", "converged"):
        together = estimate(solver, few_samples(protocol), images, model=model, size=128)
        if protocol == "cheng2020":
            assert len(set(together.stats["rounds"])) > 1
        for image in range(4):
            alone = estimate(solver, few_samples(protocol), images[image : image + 1], model=model, size=16)
            assert alone.stats["rounds"][0] == together.stats["rounds"][image]
            assert (alone.entropy[0] - together.entropy[image]).abs().max() < 1e-4
            assert (alone.std_error[0] - together.std_error[image]).abs().max() < 1e-4
            assert (alone.noise[0] - together.noise[image]).abs().max() < 1e-4
            for name in ("blend", "shift_share", "check_surplus", "clamped"):
                assert alone.stats[name][0] == pytest.approx(together.stats[name][image], abs=1e-6)


def test_no_tolerance_is_one_round():
    result = estimate(Decomposed(tolerance=None), few_samples("cheng2020"))
    assert result.stats["rounds"] == [1.0, 1.0]
    assert entropy_of(torch.tensor(1.0)) == pytest.approx(1.4189, abs=1e-4)

import dataclasses
import itertools
import math

import pytest
import torch
from oracles.entropy import distortion_recursion, loss, recursion

from kdprobe.errors import ConfigError
from kdprobe.estimator import PROTOCOLS, Protocol, find_protocol
from kdprobe.estimator.descent import Descent, entropy_of, refresh_steps, stationary


def descend(protocol, energy, scale):
    descent = Descent(protocol, torch.tensor(scale, dtype=torch.float64), energy.shape[-1])
    while descent.active.any():
        descent.step(energy)
    return descent


@pytest.mark.parametrize("name", ["cheng2020", "cheng2020_resnet"])
@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0, 6.0])
def test_against_plain_loops(name, spread):
    """Spread 6 drives cells into the clamp; the second image with its tiny scale needs (and misses with) more steps."""
    protocol = PROTOCOLS[name]
    generator = torch.Generator().manual_seed(int(spread * 10))
    energy = (spread * torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)).exp()
    scale = [1e-4 * float(energy[0].sum()), 4e-5 * float(energy[1].sum())]
    descent = descend(protocol, energy, scale)
    for image in range(2):
        fixed = energy[image].tolist()
        expected = recursion(lambda _s, fixed=fixed: fixed, scale[image], 4, weight=protocol.entropy_weight)
        torch.testing.assert_close(
            entropy_of(descent.best_sigma[image]),
            torch.tensor(expected, dtype=torch.float64),
            rtol=0,
            atol=1e-12,
        )


def test_extra_steps_only_for_images_that_need_them():
    energy = torch.ones(2, 4, 4, dtype=torch.float64)
    descent = Descent(PROTOCOLS["cheng2020"], torch.tensor([16e-4, 16e-4 / 3], dtype=torch.float64), 4)
    for _ in range(60):
        descent.step(energy)
    assert descent.active.tolist() == [False, True]
    assert descent.reached.tolist() == [True, False]
    rested = descent.sigma[0].clone()
    while descent.active.any():
        descent.step(energy)
    assert descent.step_count == 80
    assert torch.equal(descent.sigma[0], rested)


def test_step_size_scales_with_the_number_of_cells():
    fine = descend(PROTOCOLS["cheng2020"], torch.ones(1, 16, 16, dtype=torch.float64), [256e-4])
    coarse = descend(PROTOCOLS["cheng2020"], torch.ones(1, 2, 2, dtype=torch.float64), [4e-4])
    torch.testing.assert_close(fine.best_sigma.mean(), coarse.best_sigma.mean())
    assert int(fine.best_step[0]) == int(coarse.best_step[0])


FIXED = Protocol("fixed", steps=40, extra_steps=0, target_entropy=9.0)  # the last iterate is reported


def test_noise_is_that_of_many_noisy_descents():
    """Fresh noise at every step, cells with covariance, and a sigma_f² that is off from the start to the end."""
    generator, times = torch.Generator().manual_seed(0), 4000
    energy = torch.randn(1, 3, 3, generator=generator, dtype=torch.float64).exp()
    sources = 0.1 * torch.randn(4, 3, 3, generator=generator, dtype=torch.float64) * energy
    scale = 1e-4 * float(energy.sum())
    off = 0.03 * torch.randn(times, generator=generator, dtype=torch.float64)
    many = Descent(FIXED, scale * (1 + off), 3)
    # One source for sigma_f², the same at every step, and for each step four of its own.
    only_scale = torch.zeros(1, 1 + 4 * FIXED.steps, dtype=torch.float64)
    only_scale[0, 0] = 0.03
    followed = Descent(FIXED, torch.tensor([scale]), 3, only_scale)
    while many.active.any():
        draw = torch.randn(times, 4, generator=generator, dtype=torch.float64)
        noise = torch.zeros(1, only_scale.shape[1], 3, 3, dtype=torch.float64)
        noise[0, 1 + 4 * many.step_count : 5 + 4 * many.step_count] = sources
        many.step(energy + torch.einsum("tr,r...->t...", draw, sources))
        followed.step(energy, noise)
    claimed = torch.einsum("ra,rb->ab", *[followed.best_noise[0].flatten(1)] * 2)
    found = torch.cov(many.best_sigma.flatten(1).T)
    spread = found.diagonal().sqrt()
    ratio = claimed.diagonal() / found.diagonal()
    assert ((ratio > 0.88) & (ratio < 1.12)).all(), ratio
    assert ((claimed - found).abs() < 0.1 * spread[:, None] * spread).all()


def test_noise_of_a_clamped_cell_is_gone():
    energy = torch.tensor([[[1.0, 1e5]]]).double().expand(1, 2, 2)
    descent = Descent(FIXED, torch.tensor([1e-4]), 2, torch.full((1, 2), 0.1))
    for _ in range(5):
        descent.step(energy, torch.ones(1, 2, 2, 2, dtype=torch.float64))
    assert (descent.sigma[0, :, 1] == FIXED.sigma_min).all()
    assert (descent.noise[0, :, :, 1] == 0).all()
    assert (descent.noise[0, :, :, 0] != 0).all()


@pytest.mark.parametrize(("energy", "clamp"), [(1e5, "sigma_min"), (-1e5, "sigma_max")])
def test_the_clamp_on_both_sides(energy, clamp):
    """Energies enter unclamped and may be negative; sigma is clamped after every step, to just these values."""
    protocol = PROTOCOLS["cheng2020"]
    energies = torch.ones(1, 4, 4, dtype=torch.float64)
    energies[0, 0, 0] = energy
    descent = descend(protocol, energies, [16e-4])
    assert float(descent.best_sigma[0, 0, 0]) == getattr(protocol, clamp)
    expected = recursion(lambda _s: energies[0].tolist(), 16e-4, 4)
    torch.testing.assert_close(entropy_of(descent.best_sigma[0]), torch.tensor(expected).double())


@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_fixed_distortion_against_plain_loops(spread):
    protocol = PROTOCOLS["fixed_distortion"]
    generator = torch.Generator().manual_seed(1)
    energy = (spread * torch.randn(4, 4, generator=generator, dtype=torch.float64)).exp()
    scale = 1e-4 * energy.sum()
    descent = Descent(protocol, scale[None], 4)
    while descent.active.any():
        descent.step(energy[None], distortion=(energy * descent.sigma[0] ** 2).sum()[None] / scale)
    expected, step = distortion_recursion(energy.tolist(), 4)
    torch.testing.assert_close(entropy_of(descent.best_sigma[0]), torch.tensor(expected).double())
    assert int(descent.best_step[0]) == step > 5
    assert descent.step_count == 100
    assert bool(descent.reached[0]) == (spread < 2)


def test_the_iterate_at_the_target_is_reported_even_if_it_is_the_start():
    target = float(entropy_of(torch.tensor(0.01, dtype=torch.float64)))
    protocol = dataclasses.replace(PROTOCOLS["cheng2020"], target_entropy=target)
    descent = descend(protocol, torch.ones(1, 2, 2, dtype=torch.float64), [4e-4])
    assert int(descent.best_step[0]) == 0
    assert bool(descent.reached[0])
    assert torch.equal(descent.best_sigma[0], torch.full((2, 2), 0.01, dtype=torch.float64))


@pytest.mark.parametrize("passes_at", [60, 61])
def test_the_target_passed_at_the_very_last_regular_step(passes_at):
    """At step 60: no more steps. At step 61: the extra ones, with the larger weight from the first of them on."""
    energy = torch.ones(1, 2, 2, dtype=torch.float64)
    trail = Descent(
        dataclasses.replace(PROTOCOLS["cheng2020"], target_entropy=9.0, steps=61), torch.tensor([2e-4]), 2
    )
    heights = []
    for _ in range(61):
        trail.step(energy)
        heights.append(float(entropy_of(trail.sigma).mean((1, 2))))
    assert heights == sorted(heights)
    target = heights[passes_at - 1] if passes_at == 60 else (heights[59] + heights[60]) / 2
    descent = descend(dataclasses.replace(PROTOCOLS["cheng2020"], target_entropy=target), energy, [2e-4])
    assert descent.step_count == (60 if passes_at == 60 else 80)
    assert descent.reached.tolist() == [True]
    if passes_at == 60:
        assert int(descent.best_step[0]) == 60
    else:
        assert float(entropy_of(descent.best_sigma).mean()) != pytest.approx(heights[60])


def test_energies_that_broke_are_never_reported_as_a_map():
    energy = torch.ones(3, 2, 2, dtype=torch.float64)
    descent = Descent(PROTOCOLS["cheng2020"], torch.full((3,), 4e-4), 2)
    descent.step(energy)
    broken = energy.clone()
    broken[1, 0, 0], broken[2, 1, 1] = math.nan, math.inf
    descent.step(broken)
    while descent.active.any():
        descent.step(energy)
    assert descent.best_sigma.isfinite().flatten(1).all(1).tolist() == [True, False, False]


@pytest.mark.parametrize("name", ["cheng2020", "cheng2020_resnet", "converged"])
def test_the_stationary_point_is_one(name):
    """The loss is least there: every cell moved a little makes it larger, by the same on both sides."""
    protocol, generator = PROTOCOLS[name], torch.Generator().manual_seed(2)
    energy = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64).exp()
    scale = 1e-4 * energy.sum((1, 2))
    sigma = stationary(protocol, scale, energy)
    for image in range(2):
        here = loss(
            sigma[image].tolist(), energy[image].tolist(), float(scale[image]), protocol.entropy_weight
        )
        for cell in range(9):
            moved = []
            for step in (1e-4, -1e-4):
                other = sigma[image].clone()
                other.view(-1)[cell] *= math.exp(step)
                moved.append(
                    loss(other.tolist(), energy[image].tolist(), float(scale[image]), protocol.entropy_weight)
                    - here
                )
            assert min(moved) > 0
            assert abs(moved[0] - moved[1]) < 1e-3 * moved[0]


def test_the_stationary_point_of_cells_without_energy_is_the_clamp():
    protocol = PROTOCOLS["converged"]
    energy = torch.tensor([[[1.0, 0.0], [-1e-9, 1e-12]], [[1e9, 1.0], [1.0, math.nan]]], dtype=torch.float64)
    sigma = stationary(protocol, torch.tensor([1e-4, 1e-4]), energy)
    assert sigma[0].flatten()[1:].tolist() == [protocol.sigma_max] * 3
    assert float(sigma[1, 0, 0]) == protocol.sigma_min
    assert sigma[1].isnan().tolist() == [[False, False], [False, True]]


def test_refreshes_cover_the_way_to_the_target():
    steps = refresh_steps(PROTOCOLS["cheng2020"], 8)
    assert steps[0] == 0
    assert len(steps) == 8
    # Flat energies: the mean entropy passes -2.8 near step 40 at weight 7, near 55 at weight 6.
    assert 30 <= steps[-1] <= 40
    assert 44 <= refresh_steps(PROTOCOLS["cheng2020_resnet"], 8)[-1] <= 54
    gaps = [b - a for a, b in itertools.pairwise(steps)]
    assert max(gaps) - min(gaps) <= 1
    # V / sigma_f² = (sigma / 0.01)² of a flat map is 1.5 at sigma = 0.01225.
    steps = refresh_steps(PROTOCOLS["fixed_distortion"], 4)
    assert (0, 18, 36, 54)[3] > steps[-1] > 10
    assert refresh_steps(dataclasses.replace(PROTOCOLS["cheng2020"], steps=1, extra_steps=0), 4) == (
        0,
        0,
        1,
        1,
    )


def test_unknown_protocol_and_impossible_fields():
    with pytest.raises(ConfigError, match="cheng2020"):
        find_protocol("cheng")
    with pytest.raises(ConfigError, match="sigma_min"):
        Protocol("mine", sigma_start=2.0)
    with pytest.raises(ConfigError, match="relu or none"):
        Protocol("mine", feature_activation="tanh")
    with pytest.raises(ConfigError, match="report must be one of target_entropy"):
        Protocol("mine", report="best")
    for impossible in ({"steps": 0}, {"extra_steps": -1}, {"samples_per_step": 1}):
        with pytest.raises(ConfigError, match="correct the protocol"):
            Protocol("mine", **impossible)

"""The way to what is reported: where energies are measured, and how the end depends on them."""

import dataclasses

import pytest
import torch

from kdprobe.estimator import PROTOCOLS
from kdprobe.estimator.descent import refresh_steps
from kdprobe.estimator.solvers.route import arrive, walk
from kdprobe.estimator.solvers.settle import settle

#: as published, but the reported iterate does not change with the energies
LAST = dataclasses.replace(PROTOCOLS["cheng2020"], steps=30, extra_steps=0, target_entropy=9.0)
LAST_DISTORTION = dataclasses.replace(PROTOCOLS["fixed_distortion"], steps=15, target_distortion=99.0)


def some_energies(count=2, grid=3, spread=1.0):
    generator = torch.Generator().manual_seed(0)
    return (spread * torch.randn(count, grid, grid, generator=generator, dtype=torch.float64)).exp()


@pytest.mark.parametrize("protocol", [LAST, LAST_DISTORTION, PROTOCOLS["converged"]], ids=lambda p: p.name)
def test_derivatives_against_differences(protocol):
    energy = some_energies()
    energy[1, 0, 0] = 1e6  # at the lower clamp
    energy[1, 2, 2] = -1e6 if protocol.report != "stationary" else -1.0  # at the upper one
    scale = 1e-4 * some_energies().sum((1, 2))
    there, step = arrive(protocol, scale, energy), 1e-6
    for i in range(3):
        for j in range(3):
            moved = torch.zeros_like(energy)
            moved[:, i, j] = step
            up, down = arrive(protocol, scale, energy + moved), arrive(protocol, scale, energy - moved)
            slope = (up.sigma.log() - down.sigma.log()) / (2 * step)
            torch.testing.assert_close(there.by_energy[:, i, j], slope[:, i, j], rtol=1e-5, atol=1e-8)
            slope[:, i, j] = 0
            assert slope.abs().max() < 1e-8  # cells do not meet once energies are fixed
    up, down = arrive(protocol, scale * (1 + step), energy), arrive(protocol, scale * (1 - step), energy)
    slope = (up.sigma.log() - down.sigma.log()) / (2 * step)
    torch.testing.assert_close(there.by_scale, slope, rtol=1e-5, atol=1e-8)
    assert (there.by_energy[1, 0, 0], there.by_energy[1, 2, 2], there.by_scale[1, 0, 0]) == (0, 0, 0)
    assert (there.by_energy[0] < 0).all()
    assert (there.by_scale[0] > 0).all()


@pytest.mark.parametrize("name", ["cheng2020", "fixed_distortion"])
def test_energies_are_measured_along_the_way_that_they_make(name):
    """At the protocol's refreshes, at the sigma reached there with the energies known by then."""
    protocol, visited = PROTOCOLS[name], []
    first, second = some_energies(), 3 * some_energies().flip(1)
    scale = 1e-4 * first.sum((1, 2))

    def measure(sigma):
        visited.append(sigma.clone())
        return (first, first, second, second)[len(visited) - 1]

    walk(protocol, scale, 3, 4, measure)
    steps = refresh_steps(protocol, 4)
    assert (visited[0] == protocol.sigma_start).all()
    rate, sigma = protocol.learning_rate * 9 / 256, visited[0]
    for step in range(steps[-1] + 1):
        if step in steps:
            torch.testing.assert_close(visited[steps.index(step)], sigma, rtol=1e-12, atol=0)
        energy = first if step < steps[2] else second
        push = 2 * sigma * energy / scale[:, None, None] - protocol.entropy_weight / 9 / sigma
        sigma = (sigma - rate * push).clamp(0.001, 1)
    assert len(visited) == 4


def test_energies_known_before_rule_the_way():
    known, visited = some_energies(), []
    scale = 1e-4 * known.sum((1, 2))

    def measure(sigma):
        visited.append(sigma)
        return 50 * known

    walk(PROTOCOLS["cheng2020"], scale, 3, 4, measure, known)
    last = refresh_steps(PROTOCOLS["cheng2020"], 4)[-1]
    short = dataclasses.replace(PROTOCOLS["cheng2020"], steps=last, extra_steps=0, target_entropy=9.0)
    torch.testing.assert_close(visited[-1], arrive(short, scale, known).sigma)


def test_the_way_to_the_stationary_point():
    """Without knowledge it is sought, from the flat start on; with it all measurements are made there."""
    protocol, energy, visited = PROTOCOLS["converged"], some_energies(), []
    scale = 1e-4 * energy.sum((1, 2))

    def measure(sigma):
        visited.append(sigma)
        return energy * len(visited)

    walk(protocol, scale, 3, 3, measure)
    assert (visited[0] == protocol.sigma_start).all()
    torch.testing.assert_close(visited[1], arrive(protocol, scale, energy).sigma)
    torch.testing.assert_close(visited[2], arrive(protocol, scale, 2 * energy).sigma)
    visited.clear()
    walk(protocol, scale, 3, 3, measure, 5 * energy)
    assert len(visited) == 3
    for sigma in visited:
        torch.testing.assert_close(sigma, arrive(protocol, scale, 5 * energy).sigma)


@pytest.mark.parametrize("protocol", [LAST, LAST_DISTORTION, PROTOCOLS["converged"]], ids=lambda p: p.name)
def test_settled_errors_are_those_of_the_contrast_over_many_noisy_energies(protocol):
    """Independent noise in every cell, common noise of sigma_f²: the spread of H less the image's mean."""
    generator, times, grid = torch.Generator().manual_seed(1), 3000, 3
    energy, scale = some_energies(1, grid, 0.4), 1e-4 * some_energies(1, grid, 0.4).sum((1, 2))
    own, common = 0.03 * energy[0], 0.05
    sources = torch.diag(own.flatten()).reshape(9, grid, grid)
    noise_of_scale = torch.zeros(1, 10, dtype=torch.float64)
    noise_of_scale[0, 9] = common
    solution = settle(
        protocol,
        scale,
        energy,
        torch.cat([sources, torch.zeros(1, grid, grid)])[None].double(),
        own[None] ** 2,
        noise_of_scale,
        torch.tensor([common**2], dtype=torch.float64),
        {"some": torch.ones(1)},
    )
    draws = energy + own * torch.randn(times, grid, grid, generator=generator, dtype=torch.float64)
    scales = scale * (1 + common * torch.randn(times, generator=generator, dtype=torch.float64))
    found = arrive(protocol, scales, draws).sigma.log()
    found = found - found.mean((1, 2), keepdim=True)
    ratio = solution.std_error[0] / found.std(0)
    assert abs(float(ratio.mean()) - 1) < 0.05
    assert ((ratio > 0.8) & (ratio < 1.25)).all(), ratio
    torch.testing.assert_close(solution.noise.square().sum(1).sqrt(), solution.std_error)
    claimed = torch.einsum("ra,rb->ab", *[solution.noise[0].flatten(1)] * 2)
    correlation = torch.corrcoef(found.flatten(1).T)
    spread = solution.std_error[0].flatten()
    assert (claimed / spread[:, None] / spread - correlation).abs().max() < 0.15
    assert "some" in solution.diagnostics

"""The protocol's way with energies that were measured: deterministic, and with its derivatives."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from kdprobe.estimator.descent import Descent, refresh_steps, stationary, where_reached
from kdprobe.estimator.protocols import Protocol


def walk(
    protocol: Protocol,
    scale: Tensor,
    grid: int,
    refreshes: int,
    measure: Callable[[Tensor], Tensor],
    known: Tensor | None = None,
) -> None:
    """Calls `measure` with sigma (B, g, g) at `refreshes` places of the protocol's way to what it reports.

    `measure` returns the energies (B, g, g) that are the best so far; the way follows them, or those `known` before.
    """
    if protocol.report == "stationary":
        flat = torch.full((len(scale), grid, grid), protocol.sigma_start, dtype=torch.float64)
        sigma = flat if known is None else stationary(protocol, scale, known)
        for _ in range(refreshes):
            energy = measure(sigma)
            sigma = stationary(protocol, scale, energy) if known is None else sigma
        return
    schedule = refresh_steps(protocol, refreshes)
    descent, energy = Descent(protocol, scale, grid), known
    for step in range(schedule[-1] + 1):
        for _ in range(schedule.count(step)):
            measured = measure(descent.sigma)
            energy = measured if known is None else known
        descent.step(energy, distortion=_distortion(protocol, scale, energy, descent.sigma))


class Arrival(NamedTuple):
    """What is reported for given energies, and its first derivatives."""

    sigma: Tensor  #: (B, g, g)
    by_energy: Tensor  #: (B, g, g), of log sigma_i with respect to a_i
    by_scale: Tensor  #: (B, g, g), of log sigma_i with respect to log sigma_f²
    velocity: Tensor  #: (B, g, g), of log sigma_i along the way, and
    weight: Tensor  #: (B, g, g): the weighted mean of log sigma that the protocol pins
    reached: Tensor  #: (B,) bool
    step: Tensor  #: (B,) int64


def arrive(protocol: Protocol, scale: Tensor, energy: Tensor) -> Arrival:
    """Goes the whole way with constant energies (B, g, g)."""
    if protocol.report == "stationary":
        sigma = stationary(protocol, scale, energy)
        free = (sigma > protocol.sigma_min) & (sigma < protocol.sigma_max)
        by_energy = torch.where(free, -0.5 / energy, 0.0)
        everywhere = torch.ones(len(scale), dtype=torch.bool)
        at_rest = torch.ones_like(sigma)  # nothing moves: what is left of `pinned` is the contrast
        step = torch.zeros(len(scale), dtype=torch.int64)
        return Arrival(sigma, by_energy, 0.5 * free.double(), at_rest, at_rest, everywhere, step)
    # Two deviations, that of the energies and that of sigma_f²: by linearity they are the derivatives.
    only_energy = torch.ones_like(energy)[:, None] * torch.tensor([1.0, 0.0])[:, None, None]
    only_scale = torch.tensor([[0.0, 1.0]]).expand(len(scale), 2)
    descent = Descent(protocol, scale, energy.shape[1], only_scale)
    while bool(descent.active.any()):
        descent.step(energy, only_energy, _distortion(protocol, scale, energy, descent.sigma))
    by_energy, by_scale = (descent.best_noise / descent.best_sigma[:, None]).unbind(1)
    sigma, velocity = descent.best_sigma, descent.best_velocity
    weight = torch.ones_like(sigma) if protocol.report == "target_entropy" else energy * sigma.square()
    velocity, weight = where_reached(descent.reached, velocity), where_reached(descent.reached, weight)
    return Arrival(sigma, by_energy, by_scale, velocity, weight, descent.reached, descent.best_step)


def _distortion(protocol: Protocol, scale: Tensor, energy: Tensor, sigma: Tensor) -> Tensor:
    """V(sigma) / sigma_f², (B,), by integrating dV = 2 sum_i sigma_i a_i dsigma_i from where it is 1."""
    grown = (energy * (sigma.square() - protocol.feature_scale_sigma**2)).sum((1, 2))
    return 1 + grown / scale.double()

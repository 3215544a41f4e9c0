"""The protocol's recursion on sigma, for many images at once; where the energies come from is the solver's affair."""

import math

import torch
from torch import Tensor

from kdprobe.estimator.protocols import Protocol

HALF_LOG_2_PI_E = 0.5 * math.log(2 * math.pi * math.e)


def entropy_of(sigma: Tensor) -> Tensor:
    """H = log sigma + ½ log(2 pi e), in nats."""
    return sigma.log() + HALF_LOG_2_PI_E


_MEMORY = 0.8  #: weight of the earlier steps in the velocity


class Descent:
    """Sigma of N images on its way down the loss, float64.

    With the effective energy a_i = (1 / (2 sigma_i)) dV/dsigma_i the gradient of the loss is
    2 sigma_i a_i / sigma_f² - entropy_weight / (cells sigma_i). The iterate nearest the protocol's target is kept, per
    image; images that have not passed the target after `steps` go on for `extra_steps` with the larger weight. Sigma
    is clamped after every step, the energy is used as it comes.

    `noise` (N, R, g, g) follows along: how far sigma would be off, to first order and cell by cell, if the energies
    were off by the R deviations given with every step and sigma_f² by `scale_noise` (N, R), relative. It is that of a
    fixed step; `pinned` turns it into that of the iterate at the target. `best_velocity` (N, g, g) is the change of
    log sigma per step there, averaged over the last steps.
    """

    def __init__(
        self, protocol: Protocol, feature_scale: Tensor, grid: int, scale_noise: Tensor | None = None
    ) -> None:
        self._protocol = protocol
        self._cells = grid * grid
        self._rate = protocol.learning_rate * self._cells / protocol.reference_cells
        self._scale = feature_scale.double()[:, None, None]
        count = len(feature_scale)
        if scale_noise is None:
            scale_noise = torch.zeros(count, 0, dtype=torch.float64)
        self._scale_noise = scale_noise.double()[..., None, None]
        self.sigma = torch.full((count, grid, grid), protocol.sigma_start, dtype=torch.float64)
        self.noise = torch.zeros(count, scale_noise.shape[1], grid, grid, dtype=torch.float64)
        self.step_count = 0
        self._passed = torch.zeros(count, dtype=torch.bool)
        self._passed_in_time = self._passed
        self._gap = torch.full((count,), math.inf, dtype=torch.float64)
        self.best_sigma = self.sigma.clone()
        self.best_noise = self.noise.clone()
        self.best_step = torch.zeros(count, dtype=torch.int64)
        self._velocity = torch.ones_like(self.sigma)
        self.best_velocity = self._velocity.clone()
        self._by_entropy = protocol.report == "target_entropy"
        if self._by_entropy:
            self._look_at_entropy(torch.ones(count, dtype=torch.bool))

    @property
    def active(self) -> Tensor:
        """(N,) bool: images that still move."""
        if self.step_count < self._protocol.steps:
            return torch.ones_like(self._passed)
        if self.step_count < self._protocol.steps + self._protocol.extra_steps:
            return ~self._passed_in_time
        return torch.zeros_like(self._passed)

    @property
    def reached(self) -> Tensor:
        """(N,) bool: images that have passed the target at some iterate."""
        return self._passed.clone()

    def step(
        self, energy: Tensor, energy_noise: Tensor | None = None, distortion: Tensor | None = None
    ) -> None:
        """One step of all active images with their energies a, (N, g, g) (rows of inactive images are ignored).

        energy_noise (N, R, g, g): deviations of a. distortion (N,): V / sigma_f² at the present sigma, which a protocol
        with a target distortion looks at.
        """
        protocol, moving = self._protocol, self.active
        broken = moving & ~energy.isfinite().all(2).all(1)
        self.best_sigma[broken] = math.nan
        self._gap[broken] = -math.inf  # no later iterate is taken
        if not self._by_entropy:
            self._look(moving, distortion, protocol.target_distortion)
        weight = protocol.entropy_weight
        if self.step_count >= protocol.steps:
            weight *= protocol.extra_factor
        pull = weight / self._cells
        stiffness = 2 * energy / self._scale
        moved = self.sigma - self._rate * (self.sigma * stiffness - pull / self.sigma)
        if self.noise.shape[1]:
            self._carry_noise(stiffness, pull / self.sigma**2, moved, energy_noise, moving)
        moved = moved.clamp(protocol.sigma_min, protocol.sigma_max)
        velocity = _MEMORY * self._velocity + (1 - _MEMORY) * (moved / self.sigma).log()
        first = self.step_count == 0
        self._velocity = torch.where(
            moving[:, None, None], (moved / self.sigma).log() if first else velocity, self._velocity
        )
        self.sigma = torch.where(moving[:, None, None], moved, self.sigma)
        self.step_count += 1
        if self._by_entropy:
            self._look_at_entropy(moving)
        if self.step_count == protocol.steps:
            self._passed_in_time = self._passed.clone()

    def _carry_noise(
        self, stiffness: Tensor, pull: Tensor, moved: Tensor, energy_noise: Tensor | None, moving: Tensor
    ) -> None:
        contraction = (1 - self._rate * (stiffness + pull))[:, None]
        scale_part = (self.sigma * stiffness)[:, None] * self._scale_noise
        noise = contraction * self.noise + self._rate * scale_part
        if energy_noise is not None:
            noise = noise - self._rate * (2 * self.sigma / self._scale)[:, None] * energy_noise
        inside = (moved >= self._protocol.sigma_min) & (moved <= self._protocol.sigma_max)
        self.noise = torch.where(moving[:, None, None, None], noise * inside[:, None], self.noise)

    def _look_at_entropy(self, moving: Tensor) -> None:
        self._look(moving, entropy_of(self.sigma).mean((1, 2)), self._protocol.target_entropy)

    def _look(self, moving: Tensor, value: Tensor, target: float) -> None:
        """Compares the current iterate with the best one so far."""
        gap = (value - target).abs()
        nearer = moving & (gap < self._gap)
        self._gap = torch.where(nearer, gap, self._gap)
        self.best_sigma = torch.where(nearer[:, None, None], self.sigma, self.best_sigma)
        self.best_noise = torch.where(nearer[:, None, None, None], self.noise, self.best_noise)
        self.best_step = torch.where(nearer, self.step_count, self.best_step)
        self.best_velocity = torch.where(nearer[:, None, None], self._velocity, self.best_velocity)
        self._passed |= moving & (value >= target)


def where_reached(reached: Tensor, values: Tensor) -> Tensor:
    """Velocity or weight (N, g, g) for `pinned`, 1 for images that never reached the target: their step is fixed."""
    return torch.where(reached[:, None, None], values, 1.0)


def pinned(noise: Tensor, velocity: Tensor, weight: Tensor) -> Tensor:
    """Deviations of log sigma (N, R, g, g) at a fixed step -> those of the contrast at a fixed weighted mean.

    The iterate is reported at which a weighted mean reaches its target; where noise moves that mean, it is another
    step, and cells are off by what they move meanwhile: delta_i - v_i (sum_j w_j delta_j) / (sum_j w_j v_j), less
    its mean. velocity, weight: (N, g, g).
    """
    velocity, weight = velocity[:, None], weight[:, None]
    pace = (weight * velocity).sum((2, 3), keepdim=True)
    late = torch.where(pace != 0, (weight * noise).sum((2, 3), keepdim=True) / pace, 0.0)
    at_target = noise - velocity * late
    return at_target - at_target.mean((2, 3), keepdim=True)


def stationary(protocol: Protocol, feature_scale: Tensor, energy: Tensor) -> Tensor:
    """Sigma (N, g, g) at which the gradient of the loss vanishes for energies a (N, g, g) that do not depend on it.

    sigma_i² = entropy_weight sigma_f² / (2 cells a_i), clamped; cells with a_i <= 0 sit at the upper clamp.
    """
    cells = energy.shape[1] * energy.shape[2]
    square = protocol.entropy_weight * feature_scale.double()[:, None, None] / (2 * cells * energy)
    sigma = torch.where(energy > 0, square.abs().sqrt(), protocol.sigma_max)
    return torch.where(energy.isfinite(), sigma.clamp(protocol.sigma_min, protocol.sigma_max), math.nan)


def refresh_steps(protocol: Protocol, count: int) -> tuple[int, ...]:
    """Steps at which energies are measured anew: `count` of them, evenly over the way of a flat map to the target.

    A way of fewer steps has some of them twice. A function of the protocol alone, so that no image's schedule
    depends on its neighbours in the batch.
    """
    start = torch.tensor([protocol.feature_scale_sigma**2], dtype=torch.float64)
    descent = Descent(protocol, start, 1)
    while descent.active.any():
        # One cell stands for all: with N equal cells a / sigma_f² is 1 / (N feature_scale_sigma²).
        distortion = descent.sigma.square().mean((1, 2)) / start
        descent.step(torch.ones(1, 1, 1, dtype=torch.float64), distortion=distortion)
    length = max(int(descent.best_step[0]), 1)
    return tuple(int(i * length / count + 0.5) for i in range(count))

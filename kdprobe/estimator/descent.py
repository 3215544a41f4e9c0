"""The protocol's recursion on sigma, for many images at once; where the energies come from is the solver's affair."""

import math

import torch
from torch import Tensor

from kdprobe.estimator.protocols import Protocol

HALF_LOG_2_PI_E = 0.5 * math.log(2 * math.pi * math.e)


def entropy_of(sigma: Tensor) -> Tensor:
    """H = log sigma + ½ log(2 pi e), in nats."""
    return sigma.log() + HALF_LOG_2_PI_E


class Descent:
    """Sigma of N images on its way down the loss, float64.

    With the effective energy a_i = (1 / (2 sigma_i)) dV/dsigma_i the gradient of the loss is
    2 sigma_i a_i / sigma_f² - entropy_weight / (cells sigma_i). The iterate whose mean entropy is nearest the target is
    kept, per image; images that have not passed the target after `steps` go on for `extra_steps` with the
    larger weight. Sigma is clamped after every step, the energy is used as it comes.

    `variance` follows along if the solver says how noisy its energies are: first order, cell by cell.
    """

    def __init__(self, protocol: Protocol, feature_scale: Tensor, grid: int) -> None:
        self._protocol = protocol
        self._cells = grid * grid
        self._rate = protocol.learning_rate * self._cells / protocol.reference_cells
        self._scale = feature_scale.double()[:, None, None]
        count = len(feature_scale)
        self.sigma = torch.full((count, grid, grid), protocol.sigma_start, dtype=torch.float64)
        self.variance = torch.zeros_like(self.sigma)
        self.step_count = 0
        self._passed = torch.zeros(count, dtype=torch.bool)
        self._passed_in_time = self._passed
        self._gap = torch.full((count,), math.inf, dtype=torch.float64)
        self.best_sigma = self.sigma.clone()
        self.best_variance = self.variance.clone()
        self.best_step = torch.zeros(count, dtype=torch.int64)
        self._look(torch.ones(count, dtype=torch.bool))

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
        """(N,) bool: images whose mean entropy has passed the target at some iterate."""
        return self._passed.clone()

    def step(self, energy: Tensor, energy_variance: Tensor | None = None) -> None:
        """One step of all active images with their energies a, (N, g, g) (rows of inactive images are ignored)."""
        protocol, moving = self._protocol, self.active
        broken = moving & ~energy.isfinite().all(2).all(1)
        self.best_sigma[broken] = math.nan
        self._gap[broken] = -math.inf  # no later iterate is taken
        weight = protocol.entropy_weight
        if self.step_count >= protocol.steps:
            weight *= protocol.extra_factor
        pull = weight / self._cells
        slope = 2 * self.sigma * energy / self._scale - pull / self.sigma
        moved = self.sigma - self._rate * slope
        if energy_variance is not None:
            contraction = 1 - self._rate * (2 * energy / self._scale + pull / self.sigma**2)
            spread = contraction**2 * self.variance
            spread = spread + (self._rate * 2 * self.sigma / self._scale) ** 2 * energy_variance
            inside = (moved >= protocol.sigma_min) & (moved <= protocol.sigma_max)
            self.variance = torch.where(moving[:, None, None], spread * inside, self.variance)
        moved = moved.clamp(protocol.sigma_min, protocol.sigma_max)
        self.sigma = torch.where(moving[:, None, None], moved, self.sigma)
        self.step_count += 1
        self._look(moving)
        if self.step_count == protocol.steps:
            self._passed_in_time = self._passed.clone()

    def _look(self, moving: Tensor) -> None:
        """Compares the current iterate with the best one so far."""
        mean = entropy_of(self.sigma).mean((1, 2))
        target = self._protocol.target_entropy
        gap = (mean - target).abs()
        nearer = moving & (gap < self._gap)
        self._gap = torch.where(nearer, gap, self._gap)
        self.best_sigma = torch.where(nearer[:, None, None], self.sigma, self.best_sigma)
        self.best_variance = torch.where(nearer[:, None, None], self.variance, self.best_variance)
        self.best_step = torch.where(nearer, self.step_count, self.best_step)
        self._passed |= moving & (mean >= target)


def refresh_steps(protocol: Protocol, count: int) -> tuple[int, ...]:
    """Steps at which energies are measured anew: `count` of them, evenly over the way of a flat map to the target.

    A function of the protocol alone, so that no image's schedule depends on its neighbours in the batch.
    """
    descent = Descent(protocol, torch.tensor([protocol.feature_scale_sigma**2], dtype=torch.float64), 1)
    while descent.active.any():
        # One cell stands for all: with N equal cells a / sigma_f² is 1 / (N feature_scale_sigma²).
        descent.step(torch.ones(1, 1, 1, dtype=torch.float64))
    length = max(int(descent.best_step[0]), 1)
    return tuple(sorted({round(i * length / count) for i in range(count)}))

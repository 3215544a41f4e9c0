"""Rounds of measurement, repeated for those images that need it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kdprobe.estimator.solvers.deviations import fold
from kdprobe.estimator.solvers.problem import Problem, Solution
from kdprobe.estimator.solvers.self_check import Trial, Trials
from kdprobe.estimator.solvers.settle import settle

_SOURCES = 512  #: numbers set aside for the noise sources of one round


@dataclass(frozen=True)
class Round:
    """What one round says of one image, float64 on the CPU."""

    shift: Tensor  #: (g, g), the mean shift's part of the energies
    jacobians: tuple[Tensor, Tensor]  #: (g, g) each: ‖E J_i‖² and E‖J_i‖²
    energy_deviations: Tensor  #: (S, g, g), of the energies
    scale: tuple[Tensor, Tensor]  #: sigma_f², (), and its relative deviations (T,)
    trial: Trial


MeasureRound = Callable[[Problem, list[torch.Generator], Tensor | None], list[Round]]


class Rounds:
    """Means over the rounds of every image, and what follows from them."""

    def __init__(self, problem: Problem, blend: float, blend_error: float) -> None:
        count, grid = len(problem.images), problem.cells.grid
        self._problem = problem
        self._prior = (blend, blend_error)
        self._maps = torch.zeros(3, count, grid, grid, dtype=torch.float64)  # sums over rounds
        self._scale = torch.zeros(count, dtype=torch.float64)
        self._energy_noise: list[Tensor | float] = [0.0] * count  # folded, sums over rounds
        self._energy_variance = torch.zeros(count, grid, grid, dtype=torch.float64)
        self._scale_noise: list[Tensor | float] = [0.0] * count
        self._scale_variance = torch.zeros(count, dtype=torch.float64)
        self._trials = [Trials() for _ in range(count)]
        self._rounds = torch.zeros(count, dtype=torch.float64)

    def until(self, tolerance: float | None, max_rounds: int, measure: MeasureRound) -> Solution:
        """Repeats `measure` until an image's mean standard error is at most `tolerance` and its self-check is
        passed.
        """
        problem = self._problem
        generators = problem.generators()
        every = torch.arange(len(problem.images))
        known = None
        if problem.protocol.report == "stationary":  # the first round only shows where that is
            first = Rounds(problem, *self._prior)
            first._add(every, measure(problem, generators, None), 0)
            known = first._energy()[0]
        waiting, solution = every, None
        for number in range(max_rounds if tolerance is not None else 1):
            some = problem if len(waiting) == len(every) else problem.only(waiting)
            found = measure(
                some, [generators[i] for i in waiting.tolist()], None if known is None else known[waiting]
            )
            self._add(waiting, found, number)
            solution, passed, known = self._solution()
            usable = solution.std_error.isfinite().flatten(1).all(1)
            precise = solution.std_error.mean((1, 2)) <= (tolerance or 0.0)
            waiting = (usable & ~(precise & passed)).nonzero().flatten()
            if not len(waiting):
                break
        return solution

    def _add(self, images: Tensor, found: list[Round], number: int) -> None:
        first = 1 + number * _SOURCES
        for image, one in zip(images.tolist(), found, strict=True):
            self._maps[:, image] += torch.stack([one.shift, *one.jacobians])
            scale, deviations = one.scale
            self._scale[image] += scale
            self._energy_noise[image] += fold(one.energy_deviations, first + len(deviations))
            self._energy_variance[image] += one.energy_deviations.square().sum(0)
            self._scale_noise[image] += fold(deviations, first)
            self._scale_variance[image] += deviations.square().sum()
            self._trials[image].add(one.trial)
            self._rounds[image] += 1

    def _energy(self) -> tuple[Tensor, Tensor, Tensor]:
        """Energies (B, g, g), blend and its error (B,)."""
        shift, mean_jacobian, noisy_jacobian = self._maps / self._rounds[:, None, None]
        blends = [
            trials.blend(shift[i] + mean_jacobian[i], shift[i] + noisy_jacobian[i], *self._prior)
            for i, trials in enumerate(self._trials)
        ]
        blend, error = torch.tensor(blends, dtype=torch.float64).T
        energy = shift + mean_jacobian + blend[:, None, None] * (noisy_jacobian - mean_jacobian)
        return energy, blend, error

    def _solution(self) -> tuple[Solution, Tensor, Tensor]:
        """What follows from all rounds so far, whose self-check is passed, (B,) bool, and the energies."""
        energy, blend, error = self._energy()
        rounds = self._rounds[:, None, None]
        by_blend = (self._maps[2] - self._maps[1]) / rounds * error[:, None, None]
        noise = torch.stack(self._energy_noise) / rounds[..., None]
        noise = noise + torch.stack([fold(one[None]) for one in by_blend])
        verdicts = [trials.verdict(energy[i]) for i, trials in enumerate(self._trials)]
        passed = torch.tensor([verdict.passed for verdict in verdicts])
        checked = {
            f"check_{name}": torch.tensor(
                [getattr(verdict, name) for verdict in verdicts], dtype=torch.float64
            )
            for name in ("surplus", "surplus_error", "pattern", "noise")
        }
        shift_share = (self._maps[0] / rounds).sum((1, 2)) / energy.sum((1, 2))
        solution = settle(
            self._problem.protocol,
            self._scale / self._rounds,
            energy,
            noise,
            self._energy_variance / rounds**2 + by_blend.square(),
            torch.stack(self._scale_noise) / self._rounds[:, None],
            self._scale_variance / self._rounds**2,
            {"rounds": self._rounds, "shift_share": shift_share, "blend": blend}
            | checked
            | {"check_passed": passed.double()},
        )
        return solution, passed, energy

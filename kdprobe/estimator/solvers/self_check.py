"""The self-check: what forward passes alone say of sums of the energies."""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from kdprobe.estimator.noise import normal
from kdprobe.estimator.solvers.linear import LinearPart
from kdprobe.estimator.solvers.problem import Problem

_REACH = 1.1  #: factor by which sigma is made larger and smaller


@dataclass(frozen=True)
class Trial:
    """Slopes of V found with T noises: along log sigma of all cells, and along a random pattern of +-1 for each noise.

    d V / d log sigma along a pattern s is 2 sum_i s_i sigma_i² a_i; so V at c^s sigma less V at c^-s sigma, over
    2 log c, is sum_i w_i a_i with w_i = sigma_i² (c^(2 s_i) - c^(-2 s_i)) / (2 log c), to second order in log c.
    """

    slopes: Tensor  #: (2, T) float64: along all cells, along the patterns
    weights: Tensor  #: (2, T, g, g) float64: w

    def predicted(self, energy: Tensor) -> Tensor:
        """(g, g) -> (2, T): what the slopes should be."""
        return (self.weights * energy).sum((2, 3))


def try_out(
    problem: Problem, generators: list[torch.Generator], sigma: Tensor, samples: int, linear: list[LinearPart]
) -> list[Trial]:
    """One trial for each image at its sigma (B, g, g): 4 x samples forward passes an image.

    The linear part's slope is replaced by its expectation; both ends of a slope meet the same noise.
    """
    grid = problem.cells.grid
    noise = normal(generators, samples, problem.images[0])  # (B, T, C, H, W)
    drawn = [torch.randint(0, 2, (samples, grid, grid), generator=generator) for generator in generators]
    pattern = torch.stack(drawn).double() * 2 - 1
    patterns = torch.stack([torch.ones_like(pattern), pattern], dim=1)  # (B, 2, T, g, g)
    found = []
    for sign in (1, -1):
        pixels = problem.cells.spread((sigma[:, None, None] * _REACH ** (sign * patterns)).to(noise))
        offset = (noise[:, None] * pixels[:, :, :, None]).flatten(1, 2)
        distortion = problem.change(problem.images[:, None] + offset).double().square().sum(2).cpu()
        linear_part = torch.stack([part.response(rows) for part, rows in zip(linear, offset, strict=True)])
        found.append((distortion - linear_part).unflatten(1, (2, samples)))
    width = 2 * log(_REACH)
    growth = (_REACH ** (2 * patterns) - _REACH ** (-2 * patterns)) / width
    weights = sigma[:, None, None] ** 2 * growth
    expected = torch.stack([part.columns for part in linear])[:, None, None]
    slopes = (found[0] - found[1]) / width + (weights * expected).sum((3, 4))
    return [Trial(*of_image) for of_image in zip(slopes, weights, strict=True)]


@dataclass(frozen=True)
class Verdict:
    """What all trials of an image say of its energies; shares of sum_i w_i a_i over all cells."""

    surplus: float  #: mean of (slope - predicted)
    surplus_error: float  #: its standard error
    pattern: float  #: root mean square of (slope - predicted) along the patterns
    noise: float  #: what of it is noise: the standard deviation of a single slope

    @property
    def passed(self) -> bool:
        """False where sums are off by more than 10 % and 3 standard errors, or patterns by more than 3 times the
        noise.
        """
        return not (
            abs(self.surplus) > max(0.1, 3 * self.surplus_error) or self.pattern > max(0.1, 3 * self.noise)
        )


#: noise of one slope as a share of the sum, before it is measured, and how many measured ones that is worth
_NOISE, _NOISE_WORTH = 0.3, 4


class Trials:
    """The trials of one image, over all rounds."""

    def __init__(self) -> None:
        self._trials: list[Trial] = []

    def add(self, trial: Trial) -> None:
        self._trials.append(trial)

    def _off(self, energy: Tensor) -> tuple[Tensor, Tensor]:
        """(2, T) slope - predicted of all trials, and the mean predicted sum over all cells."""
        off = torch.cat([trial.slopes - trial.predicted(energy) for trial in self._trials], dim=1)
        total = torch.cat([trial.predicted(energy)[0] for trial in self._trials]).mean()
        return off, total

    def _noise(self, off: Tensor, total: Tensor) -> Tensor:
        """Standard deviation of a single slope."""
        count = off.shape[1]
        spread = (count - 1) * off[0].var() + _NOISE_WORTH * (_NOISE * total) ** 2
        return (spread / (count - 1 + _NOISE_WORTH)).sqrt()

    def blend(self, smooth: Tensor, rough: Tensor, expected: float, error: float) -> tuple[float, float]:
        """The blend b for which energies (1 - b) smooth + b rough fit the slopes, and its error.

        Normal prior (`expected`, `error`), normal likelihood: the prior rules where smooth and rough are alike.
        """
        off, total = self._off(smooth)
        lever = torch.cat([trial.predicted(rough - smooth)[0] for trial in self._trials]).mean()
        error_of_mean = self._noise(off, total) / off.shape[1] ** 0.5
        information = (lever / error_of_mean) ** 2
        if not bool(information.isfinite()):
            return expected, error
        precision = 1 / error**2 + information
        said = off[0].mean() / lever if lever != 0 else 0.0
        return float((expected / error**2 + information * said) / precision), float(precision**-0.5)

    def verdict(self, energy: Tensor) -> Verdict:
        off, total = self._off(energy)
        noise = self._noise(off, total)
        return Verdict(
            surplus=float(off[0].mean() / total),
            surplus_error=float(noise / off.shape[1] ** 0.5 / total),
            pattern=float(off[1].square().mean().sqrt() / total),
            noise=float(noise / total),
        )

"""The procedure as published: stochastic gradient descent on sigma. Slow; the yardstick."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kdprobe.estimator.descent import Descent, pinned, where_reached
from kdprobe.estimator.noise import normal
from kdprobe.estimator.protocols import Protocol
from kdprobe.estimator.solvers.deviations import REPLICATES, deviations_of_mean
from kdprobe.estimator.solvers.problem import Problem, Solution, distortions, unit_of


@dataclass(frozen=True)
class Sgd:
    """Fresh noise at every step, as many samples as the protocol says: 5,760 forward and backward passes an image.

    The gradient is taken by hand, dV/dsigma_i = 2 E sum_{p in i} [J(x')ᵀ (f(x') - f(x))]_p e_p, so that every sample's
    share is known. The samples of a step are dealt into groups; how far each group's mean is off is carried along the
    descent to first order, and so is the noise of sigma_f².
    """

    reports: ClassVar[tuple[str, ...]] = ("target_entropy", "target_distortion")

    def samples_at_once(self, protocol: Protocol) -> int:
        return protocol.samples_per_step

    def as_dict(self) -> dict:
        return {"name": "sgd", **asdict(self)}

    def solve(self, problem: Problem) -> Solution:
        protocol = problem.protocol
        generators = problem.generators()
        samples = distortions(problem, generators, protocol.samples_per_step)
        scale = samples.mean(1)
        units = unit_of(scale).tolist()
        groups = min(REPLICATES, protocol.samples_per_step)
        descent = Descent(protocol, scale, problem.cells.grid, _of_mean(samples, groups) / scale[:, None])
        while bool(descent.active.any()):
            energy = torch.zeros_like(descent.sigma)
            noise = torch.zeros_like(descent.noise)
            distortion = torch.zeros_like(scale)
            for image in descent.active.nonzero().flatten().tolist():
                shares, sample_distortion = _step(
                    problem, generators[image], image, descent.sigma[image], units[image]
                )
                shares = shares * (units[image] / descent.sigma[image])
                energy[image] = shares.mean(0)
                noise[image] = _of_mean(shares[None], groups)[0]
                distortion[image] = sample_distortion.mean() / scale[image]
            descent.step(energy, noise, distortion)
        noise = descent.best_noise / descent.best_sigma[:, None]
        velocity = where_reached(descent.reached, descent.best_velocity)
        noise = pinned(noise, velocity, torch.ones_like(velocity))
        return Solution(
            sigma=descent.best_sigma,
            std_error=noise.square().sum(1).sqrt(),
            noise=noise,
            feature_scale=scale,
            reached=descent.reached,
            step=descent.best_step,
        )


def _step(
    problem: Problem, generator: torch.Generator, image: int, sigma: Tensor, unit: float
) -> tuple[Tensor, Tensor]:
    """Every sample's share of sigma_i a_i in `unit` (`unit_of`), (S, g, g), and ‖f(x') - f(x)‖², (S,), for one image;
    float64 on the CPU.
    """
    cells, samples = problem.cells, problem.protocol.samples_per_step
    pixels = cells.spread(sigma.to(problem.images))
    shares, found = [], []
    size = problem.feature.internal_batch_size
    for start in range(0, samples, size):
        now = min(size, samples - start)
        # One draw for each sample: the noise does not depend on how the samples are cut into passes.
        noise = torch.cat([normal([generator], 1, problem.images[0])[0] for _ in range(now)])
        change, (share,) = problem.feature.pull_through(
            problem.images[image] + pixels * noise,
            [lambda part, value: (value - problem.clean[image]) / unit],
            [lambda part, gradient, noise=noise: cells.gather(gradient * noise[part]).double().cpu()],
        )
        shares.append(share)
        found.append((change - problem.clean[image]).double().square().sum(1).cpu())
    return torch.cat(shares), torch.cat(found)


def _of_mean(samples: Tensor, groups: int) -> Tensor:
    """(B, S, ...) -> (B, groups, ...): deviations of the mean by the means of groups of samples."""
    whole = samples[:, : samples.shape[1] // groups * groups]
    means = whole.unflatten(1, (-1, groups)).mean(1)
    return torch.stack([deviations_of_mean(of_image) for of_image in means])

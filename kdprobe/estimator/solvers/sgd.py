"""The procedure as published: stochastic gradient descent on sigma. Slow; the yardstick."""

from dataclasses import asdict, dataclass

import torch

from kdprobe.estimator.descent import Descent
from kdprobe.estimator.noise import normal
from kdprobe.estimator.protocols import Protocol
from kdprobe.estimator.solvers.problem import Problem, Solution, feature_scale


@dataclass(frozen=True)
class Sgd:
    """Fresh noise at every step, as many samples as the protocol says: 5,760 forward and backward passes an image.

    The gradient is taken by hand, dV/dsigma_i = 2 E sum_{p in i} [J(x')ᵀ (f(x') - f(x))]_p e_p, so that every
    sample's share is known and with it the noise of the sum. The standard errors come from that noise, carried along
    the descent to first order; they leave out the noise of sigma_f² (a common factor of all cells).
    """

    def samples_at_once(self, protocol: Protocol) -> int:
        return protocol.samples_per_step

    def as_dict(self) -> dict:
        return {"name": "sgd", **asdict(self)}

    def solve(self, problem: Problem) -> Solution:
        protocol, cells, feature = problem.protocol, problem.cells, problem.feature
        generators = problem.generators()
        scale, _ = feature_scale(problem, generators, protocol.samples_per_step)
        descent = Descent(protocol, scale, cells.grid)
        samples = protocol.samples_per_step
        while bool(descent.active.any()):
            energy = torch.zeros_like(descent.sigma)
            variance = torch.zeros_like(descent.sigma)
            for image in descent.active.nonzero().flatten().tolist():
                pixels = cells.spread(descent.sigma[image].to(problem.images))
                total = torch.zeros_like(energy[image])
                squares = torch.zeros_like(total)
                for start in range(0, samples, feature.internal_batch_size):
                    now = min(feature.internal_batch_size, samples - start)
                    noise = torch.cat(
                        [normal([generators[image]], 1, problem.images[0])[0] for _ in range(now)]
                    )
                    leaf, value = feature.with_graph(problem.images[image] + pixels * noise)
                    pulled = feature.pull(leaf, value, value.detach() - problem.clean[image])
                    share = cells.gather(pulled * noise).double().cpu()
                    total += share.sum(0)
                    squares += share.square().sum(0)
                sigma = descent.sigma[image]
                mean = total / samples
                energy[image] = mean / sigma
                variance[image] = (squares / samples - mean**2) / (samples - 1) / sigma**2
            descent.step(energy, variance)
        return Solution(
            sigma=descent.best_sigma,
            entropy_variance=descent.best_variance / descent.best_sigma**2,
            feature_scale=scale,
            reached=descent.reached,
            step=descent.best_step,
        )

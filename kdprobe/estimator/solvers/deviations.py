"""How sure a map is: the noise of many independent sources, folded into a few deviations that keep its covariance."""

import torch
from torch import Tensor

REPLICATES = 16  #: deviations of a map that stand for all sources of its noise


def deviations_of_mean(samples: Tensor) -> Tensor:
    """(S, ...) independent samples -> deviations d_s such that sum_s d_s d_sᵀ estimates the covariance of their
    mean.
    """
    count = len(samples)
    return (samples - samples.mean(0)) / (count * (count - 1)) ** 0.5


def fold(deviations: Tensor, first: int = 0) -> Tensor:
    """(S, ...) -> (REPLICATES, ...): sums with random signs, the same for every image, network and epoch.

    Sums of products over the replicates are those over the sources, on average over the signs; so covariances between
    cells, and between networks that met the same noise, survive. `first`: number of the first source, so that sources
    folded in several goes get signs of their own.
    """
    count = len(deviations)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (first + count, REPLICATES), generator=generator)[first:] * 2 - 1
    return torch.einsum("sr,s...->r...", signs.to(deviations) / REPLICATES**0.5, deviations)


def matched(noise: Tensor, variance: Tensor) -> Tensor:
    """`noise` (R, g, g), scaled cell by cell so that its squares add up to `variance` (g, g)."""
    total = noise.square().sum(0)
    return noise * torch.where(total > 0, variance / total, 0.0).sqrt()

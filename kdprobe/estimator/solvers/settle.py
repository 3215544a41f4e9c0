"""From energies and their noise to what is reported."""

import torch
from torch import Tensor

from kdprobe.estimator.descent import pinned
from kdprobe.estimator.protocols import Protocol
from kdprobe.estimator.solvers.deviations import matched
from kdprobe.estimator.solvers.problem import Solution
from kdprobe.estimator.solvers.route import arrive

_NOTHING = 1e-9  #: share of the largest variance in the image


def settle(
    protocol: Protocol,
    scale: Tensor,
    energy: Tensor,
    energy_noise: Tensor,
    energy_variance: Tensor,
    scale_noise: Tensor,
    scale_variance: Tensor,
    diagnostics: dict[str, Tensor],
) -> Solution:
    """What the protocol reports for constant energies (B, g, g) and sigma_f² (B,), noise to first order.

    energy_noise (B, R, g, g) and scale_noise (B, R; relative) are folded deviations, the variances (B, g, g) and (B,)
    those before folding.
    """
    there = arrive(protocol, scale, energy)

    def at_target(noise: Tensor) -> Tensor:
        return pinned(noise, there.velocity, there.weight)

    raw = there.by_energy[:, None] * energy_noise
    noise = at_target(raw)
    # What folding made of a cell's own variance is undone; not where there is next to nothing to compare.
    folded = raw.square().sum(1)
    unfolded = there.by_energy.square() * energy_variance / folded
    comparable = folded > _NOTHING * folded.amax((1, 2), keepdim=True)
    variance = noise.square().sum(1) * torch.where(comparable, unfolded, 1.0)
    tilt = at_target(there.by_scale[:, None])
    variance = variance + tilt[:, 0].square() * scale_variance[:, None, None]
    noise = noise + tilt * scale_noise[..., None, None]
    noise = torch.stack([matched(*of_image) for of_image in zip(noise, variance, strict=True)])
    return Solution(
        sigma=there.sigma,
        std_error=variance.sqrt(),
        noise=noise,
        feature_scale=scale,
        reached=there.reached,
        step=there.step,
        diagnostics=diagnostics,
    )

"""The feature's linear response as the pulls know it: what is exactly known need not be sampled."""

import torch
from torch import Tensor

from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.solvers.deviations import deviations_of_mean


class LinearPart:
    """sum_k (g_k · d)² for noise d, g_k the mean gradients of one image's probes: about ‖E[J] d‖²."""

    def __init__(self, gradients: Tensor, cells: CellGrid) -> None:
        self._gradients = gradients.flatten(1)  # (n, C H W)
        #: (g, g) float64: the expectation for noise of standard deviation 1 in one cell alone
        self.columns = cells.gather(gradients.double().square()).sum(0).cpu()

    def response(self, noise: Tensor) -> Tensor:
        """(S, C, H, W) -> (S,) float64 on the CPU."""
        return (noise.flatten(1) @ self._gradients.T).double().square().sum(1).cpu()


def feature_scale(change: Tensor, noise: Tensor, level: float, linear: LinearPart) -> tuple[Tensor, Tensor]:
    """sigma_f² of one image, (), and the relative deviations (S,) of this mean over S noises.

    change (S, D): f(x + noise) - f(x); noise (S, C, H, W) of standard deviation `level`. Control variate: the linear
    part's response to the same noise, whose expectation is known, with the regression coefficient between 0 and 1.
    """
    distortion = change.double().square().sum(1).cpu()
    response = linear.response(noise)
    covariance = torch.cov(torch.stack([distortion, response]))
    usable = bool(covariance.isfinite().all()) and bool(covariance[1, 1] > 0)
    coefficient = float((covariance[0, 1] / covariance[1, 1]).clamp(0, 1)) if usable else 0.0
    rest = distortion - coefficient * response
    scale = rest.mean() + coefficient * level**2 * linear.columns.sum()
    if not scale > 0:  # few noises, and a poor control variate
        rest, scale = distortion, distortion.mean()
    return scale, deviations_of_mean(rest) / scale.clamp(min=torch.finfo(scale.dtype).tiny)

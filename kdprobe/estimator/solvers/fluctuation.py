"""The fluctuation of the feature: probes for its Gauss-Newton energy, and what that leaves out."""

import torch
from torch import Tensor

from kdprobe.estimator.feature import Feature
from kdprobe.estimator.noise import rademacher

#: Finite difference along the noise, in units of the noise. Its square is the share of the squared mean shift that
#: leaks into the result; float32 rounding adds a few parts in a thousand.
_REACH = 0.02


class Probes:
    """Cotangents v whose pulled squares add up to the squared norms of the Jacobian's columns."""

    def __init__(self, generators: list[torch.Generator], samples: int, clean: Tensor) -> None:
        count, dimension = clean.shape
        self._units = dimension if dimension <= samples else 0
        if self._units:
            units = torch.eye(dimension, dtype=clean.dtype, device=clean.device)
            chosen = units[torch.arange(samples, device=clean.device) % dimension]
            self.vectors = chosen.expand(
                count, samples, dimension
            )  #: (B, samples, D), every unit vector in turn
        else:
            self.vectors = rademacher(generators, samples, dimension, clean)  #: (B, samples, D), random signs

    def energy(self, squares: Tensor) -> Tensor:
        """(B, samples, g, g) of [Jᵀ v]² -> (B, g, g): the mean over the signs, the sum over the unit vectors."""
        if not self._units:
            return squares.mean(1)
        unit = torch.arange(squares.shape[1], device=squares.device) % self._units
        weight = 1.0 / torch.bincount(unit, minlength=self._units)[unit].to(squares)
        return (squares * weight[:, None, None]).sum(1)


def excess(
    feature: Feature, images: Tensor, offset: Tensor, value: Tensor, fluctuation: Tensor, part: Tensor
) -> tuple[Tensor, Tensor]:
    """What the Gauss-Newton sums of the fluctuation lack: over the cells of a part of the image, and over all cells.

    With d = sigma e the noise that made x' = x + d, d_G the noise of the part G alone and x'' the noisy point of
    another pair: E<Df - m, J(x') d_G> - E<J(x'') d, J(x'') d_G>, both taken with the same d, so that the difference
    has little noise (none for linear f). The second expectation is sum_{i in G} sigma_i² E‖J_i(x'')‖², for d and x''
    are independent and so are the cells. J d is a finite difference of forward passes; half of the pairs are enough.

    images (B, C, H, W); offset (B, 2P, C, H, W), the pairs' second halves being the first ones' negatives; value
    (B, 2P, D) at the noisy points; fluctuation (B, 2P, D): Df minus an independent estimate of m; part (B, H, W), 1
    in G and else 0. Returns two (B,) float64.
    """
    offset, value, fluctuation = (_some_pairs(rows) for rows in (offset, value, fluctuation))
    pairs = offset.shape[1] // 2
    follower = [(i + 1) % pairs for i in range(pairs)]
    elsewhere = [*follower, *(pairs + i for i in follower)]

    def along(base: Tensor, at_base: Tensor, direction: Tensor) -> Tensor:
        rows = (images[:, None] + base + _REACH * direction).flatten(0, 1)
        return (feature(rows).unflatten(0, offset.shape[:2]) - at_base).double() / _REACH

    inside = offset * part[:, None, None]
    other, at_other = offset[:, elsewhere], value[:, elsewhere]
    turned = along(other, at_other, offset)
    found = []
    for direction in (inside, offset):
        true = (fluctuation.double() * along(offset, value, direction)).sum(2)
        gauss_newton = (turned * (turned if direction is offset else along(other, at_other, inside))).sum(2)
        found.append((true - gauss_newton).mean(1).cpu())
    return found[0], found[1]


def _some_pairs(rows: Tensor) -> Tensor:
    """(B, 2P, ...) -> the first half of the P antithetic pairs, but at least two of them."""
    pairs = rows.shape[1] // 2
    chosen = max(2, pairs // 2)
    return torch.cat([rows[:, :chosen], rows[:, pairs : pairs + chosen]], dim=1)

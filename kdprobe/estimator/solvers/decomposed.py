"""Energies from the mean shift and the fluctuation of the feature, each estimated where it is least noisy."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from kdprobe.errors import ConfigError
from kdprobe.estimator.descent import Descent, refresh_steps
from kdprobe.estimator.noise import normal
from kdprobe.estimator.protocols import Protocol
from kdprobe.estimator.solvers.fluctuation import Probes, excess
from kdprobe.estimator.solvers.problem import Problem, Solution, feature_scale

_FLAT = 0.02  #: ratio of singular values below which alpha and beta cannot be told apart
_SCALE_STEP = 0.02  #: relative step of the derivative of the entropy with respect to sigma_f²


@dataclass(frozen=True)
class Energies:
    """What one refresh measures of B images, float64."""

    shift: Tensor  #: (B, g, g), the mean shift's part of a
    fluctuation: Tensor  #: (B, g, g), the Gauss-Newton form of the fluctuation's part
    sigma: Tensor  #: (B, g, g), where it was measured
    low: Tensor  #: (B, g, g) bool, the half of the cells with the lower Gauss-Newton energy
    excess_low: Tensor  #: (B,), what the Gauss-Newton sum of sigma² a over `low` lacks
    excess_all: Tensor  #: (B,), the same over all cells


@dataclass(frozen=True)
class Decomposed:
    """Splits Df = f(x') - f(x) into its mean m and its fluctuation.

    sigma_i² a_i = <m, E[J(x') (sigma e)_i]> + E<Df - m, J(x') (sigma e)_i>.

    First term: noise acts like texture and shifts the feature. Noise comes in antithetic pairs (e, -e); m is taken from
    all *other* pairs of the image (cross-fitting), so that the product has no bias.
    Second term: Gauss-Newton, sigma_i² sum_{p in i} E_v [(J(x')ᵀ v)_p]² with Rademacher probes v, or with the unit
    vectors where the feature has no more dimensions than there are samples. This drops the fluctuation's higher
    orders, which on trained networks with many kinks makes it 5-30 % too large, and more so in quiet cells. It is
    therefore corrected to alpha * Gauss-Newton + beta, image by image, so that its sums over the quieter half of the
    cells and over all cells are what forward passes say of them (`excess`; alpha 1 and beta 0 for linear f, without
    noise). Both are in the diagnostics.

    The protocol's descent then runs deterministically on the energies, which are measured anew at `refreshes` steps at
    the sigma reached there and averaged over the refreshes so far. Standard errors: jackknife over the refreshes, whose
    noise is independent (the drift of the energies along the way counts as noise), plus the noise of sigma_f²; both of
    the entropy relative to the image's mean, which the protocol pins.
    """

    pairs: int = 8  #: antithetic pairs at each refresh
    refreshes: int = 8
    scale_samples: int = 96  #: forward passes for sigma_f²

    def __post_init__(self) -> None:
        if self.pairs < 2 or self.refreshes < 2 or self.scale_samples < 2:
            raise ConfigError(
                "Expected pairs >= 2, refreshes >= 2 and scale_samples >= 2, got "
                f"{self.pairs}, {self.refreshes}, {self.scale_samples}; give the solver a larger budget."
            )

    def samples_at_once(self, protocol: Protocol) -> int:
        return 2 * self.pairs

    def as_dict(self) -> dict:
        return {"name": "decomposed", **asdict(self)}

    def solve(self, problem: Problem) -> Solution:
        generators = problem.generators()
        scale, scale_error = feature_scale(problem, generators, self.scale_samples)
        schedule = refresh_steps(problem.protocol, self.refreshes)
        refreshes: list[Energies] = []

        def measured(step: int, sigma: Tensor) -> Tensor:
            if step in schedule:
                refreshes.append(self.measure(problem, generators, sigma))
            return combine(refreshes)[0]

        descent = _descend(problem, scale, measured)

        def seen(step: int, left_out: int | None = None) -> Tensor:
            """The energies used at `step`, without one refresh; where none is left, the nearest later one."""
            known = [r for i, r in enumerate(refreshes) if schedule[i] <= step and i != left_out]
            return combine(known or [refreshes[1 - left_out]])[0]

        without = torch.stack(
            [_replay(problem, scale, schedule, seen, left_out=i) for i in range(len(refreshes))]
        )
        jackknife = (len(refreshes) - 1) / len(refreshes) * (without - without.mean(0)).square().sum(0)
        bent = _replay(problem, scale * (1 + _SCALE_STEP), schedule, seen) - _contrast(descent.best_sigma)
        by_scale = bent / _SCALE_STEP * (scale_error / scale)[:, None, None]
        return Solution(
            sigma=descent.best_sigma,
            entropy_variance=jackknife + by_scale**2,
            feature_scale=scale,
            reached=descent.reached,
            step=descent.best_step,
            diagnostics=dict(
                zip(("fluctuation_alpha", "fluctuation_beta"), combine(refreshes)[1:], strict=True)
            ),
        )

    def measure(self, problem: Problem, generators: list[torch.Generator], sigma: Tensor) -> Energies:
        """One refresh at `sigma` (B, g, g): 6 * pairs forward and 4 * pairs backward passes an image."""
        parts = [
            self._measure(problem, part, generators[part], sigma[part])
            for part in problem.parts(2 * self.pairs)
        ]
        names = Energies.__dataclass_fields__
        return Energies(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def _measure(
        self, problem: Problem, part: slice, generators: list[torch.Generator], sigma: Tensor
    ) -> Energies:
        feature, cells, pairs = problem.feature, problem.cells, self.pairs
        images, clean = problem.images[part], problem.clean[part]
        half = normal(generators, pairs, images[0])
        probes = Probes(generators, 2 * pairs, clean)
        pixels = cells.spread(sigma.to(images))[:, None, None]
        offset = pixels * torch.cat([half, -half], dim=1)  # (B, 2 pairs, C, H, W)
        shape = offset.shape[:2]
        rows = (images[:, None] + offset).flatten(0, 1)
        size = feature.internal_batch_size
        # Where one image's samples do not fit into a pass, the shift m is found in a first round of passes.
        graph = feature.with_graph(rows) if len(rows) <= size else None
        value = (graph[1].detach() if graph else feature(rows)).unflatten(0, shape)
        change = value - clean[:, None]
        by_pair = (change[:, :pairs] + change[:, pairs:]) / 2  # the pairs' own estimates of m
        others = (by_pair.sum(1, keepdim=True) - by_pair) / (pairs - 1)
        others = torch.cat([others, others], dim=1)

        # Cotangents near 1, so that features of any scale stay within float32.
        size_of_shift = others.abs().amax((1, 2)).clamp(min=torch.finfo(others.dtype).tiny)
        cotangents = (others / size_of_shift[:, None, None]).flatten(0, 1)

        shift, fluctuation = [], []
        for batch in torch.arange(len(rows)).split(size):
            leaf, output = graph or feature.with_graph(rows[batch])
            pulled = feature.pull(leaf, output, cotangents[batch], keep=True)
            shift.append(cells.gather(pulled * offset.flatten(0, 1)[batch]).double())
            pulled = feature.pull(leaf, output, probes.vectors.flatten(0, 1)[batch])
            fluctuation.append(cells.gather(pulled.double().square()))
        del graph
        gauss_newton = probes.energy(torch.cat(fluctuation).unflatten(0, shape)).cpu()
        low = gauss_newton <= gauss_newton.flatten(1).median(1).values[:, None, None]
        part_of_image = cells.spread(low.to(images))
        lower, whole = excess(feature, images, offset, value, change - others, part_of_image)
        return Energies(
            shift=(torch.cat(shift).unflatten(0, shape).mean(1) * size_of_shift[:, None, None]).cpu()
            / sigma**2,
            fluctuation=gauss_newton,
            sigma=sigma,
            low=low,
            excess_low=lower,
            excess_all=whole,
        )


def combine(refreshes: Sequence[Energies]) -> tuple[Tensor, Tensor, Tensor]:
    """Energies a (B, g, g) of the averaged refreshes, and the alpha and beta in them, (B,).

    beta is in units of the mean Gauss-Newton energy. Where the energies are flat, so that alpha and beta cannot be told
    apart, the smallest correction is taken.
    """

    def mean(values: Callable[[Energies], Tensor]) -> Tensor:
        return torch.stack([values(refresh) for refresh in refreshes]).mean(0)

    shift, fluctuation = mean(lambda r: r.shift), mean(lambda r: r.fluctuation)
    level = fluctuation.mean((1, 2))
    sums = [
        [
            mean(lambda r, w=where: (w(r) * r.sigma**2 * r.fluctuation).sum((1, 2))),
            mean(lambda r, w=where: (w(r) * r.sigma**2).sum((1, 2))) * level,
        ]
        for where in (lambda r: r.low, lambda r: torch.ones_like(r.low))
    ]
    matrix = torch.stack([torch.stack(row, -1) for row in sums], -2)  # (B, 2, 2)
    wanted = torch.stack([mean(lambda r: r.excess_low), mean(lambda r: r.excess_all)], -1)[..., None]
    finite = (matrix.isfinite().all((1, 2)) & wanted.isfinite().all((1, 2)))[:, None, None]
    inverse = torch.linalg.pinv(torch.where(finite, matrix, 0.0), rtol=_FLAT)
    alpha, beta = (inverse @ wanted)[..., 0].unbind(-1)
    energy = shift + (1 + alpha)[:, None, None] * fluctuation + (beta * level)[:, None, None]
    return energy, 1 + alpha, beta


def _descend(problem: Problem, scale: Tensor, energy_at: Callable[[int, Tensor], Tensor]) -> Descent:
    descent = Descent(problem.protocol, scale, problem.cells.grid)
    while bool(descent.active.any()):
        descent.step(energy_at(descent.step_count, descent.sigma))
    return descent


def _replay(
    problem: Problem,
    scale: Tensor,
    schedule: tuple[int, ...],
    seen: Callable[..., Tensor],
    left_out: int | None = None,
) -> Tensor:
    """Contrast of the reported iterate if the descent is repeated with what was measured, one refresh left out."""
    known: dict[int, Tensor] = {}

    def energy_at(step: int, _sigma: Tensor) -> Tensor:
        latest = max(at for at in schedule if at <= step)
        if latest not in known:
            known[latest] = seen(latest, left_out)
        return known[latest]

    return _contrast(_descend(problem, scale, energy_at).best_sigma)


def _contrast(sigma: Tensor) -> Tensor:
    """Entropy relative to the image's mean, which the protocol pins at its target (up to the width of a step)."""
    entropy = sigma.log()
    return entropy - entropy.mean((1, 2), keepdim=True)

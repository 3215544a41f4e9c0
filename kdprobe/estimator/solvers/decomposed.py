"""Energies from the mean shift and the fluctuation of the feature, each estimated where it is least noisy."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from kdprobe.errors import ConfigError
from kdprobe.estimator.descent import Descent, refresh_steps
from kdprobe.estimator.noise import normal, rademacher
from kdprobe.estimator.protocols import Protocol
from kdprobe.estimator.solvers.problem import Problem, Solution, feature_scale


@dataclass(frozen=True)
class Decomposed:
    """Splits Df = f(x') - f(x) into its mean m and its fluctuation.

    sigma_i² a_i = <m, E[J(x') (sigma e)_i]> + E<Df - m, J(x') (sigma e)_i>.

    First term: noise acts like texture and shifts the feature. Noise comes in antithetic pairs (e, -e); m is taken from
    all *other* pairs of the image (cross-fitting), so that the product has no bias.
    Second term: Gauss-Newton, sigma_i² sum_{p in i} E_v [(J(x')ᵀ v)_p]² with Rademacher probes v, or with the unit
    vectors where the feature has no more dimensions than there are samples. Terms of higher order in the fluctuation
    are dropped: the one approximation here.

    The protocol's descent then runs deterministically on the energies, which are measured anew at `refreshes` steps at
    the sigma reached there and averaged over the refreshes so far. Standard errors: jackknife over the refreshes, whose
    noise is independent; the drift of the energies along the way counts as noise, and sigma_f² is taken as known.
    """

    pairs: int = 8  #: antithetic pairs at each refresh
    refreshes: int = 8
    scale_samples: int = 32  #: forward passes for sigma_f²

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
        scale = feature_scale(problem, generators, self.scale_samples)
        schedule = refresh_steps(problem.protocol, self.refreshes)
        energies: list[Tensor] = []

        def measured(step: int, sigma: Tensor) -> Tensor:
            if step in schedule:
                energies.append(self.energies(problem, generators, sigma))
            return torch.stack(energies).mean(0)

        descent = _descend(problem, scale, measured)
        return Solution(
            sigma=descent.best_sigma,
            entropy_variance=_jackknife(problem, scale, schedule, energies),
            feature_scale=scale,
            reached=descent.reached,
            step=descent.best_step,
        )

    def energies(self, problem: Problem, generators: list[torch.Generator], sigma: Tensor) -> Tensor:
        """Effective energies a at `sigma`, (B, g, g) float64: 2 * pairs forward and twice as many backward passes."""
        found = []
        for part in problem.parts(2 * self.pairs):
            found.append(self._energies_of(problem, part, generators[part], sigma[part]))
        return torch.cat(found)

    def _energies_of(
        self, problem: Problem, part: slice, generators: list[torch.Generator], sigma: Tensor
    ) -> Tensor:
        feature, cells, pairs = problem.feature, problem.cells, self.pairs
        images, clean = problem.images[part], problem.clean[part]
        half = normal(generators, pairs, images[0])
        probes = _probes(generators, 2 * pairs, clean)
        pixels = cells.spread(sigma.to(images))[:, None, None]
        offset = pixels * torch.cat([half, -half], dim=1)  # (B, 2 pairs, C, H, W)
        rows = (images[:, None] + offset).flatten(0, 1)
        size = feature.internal_batch_size
        # Where one image's samples do not fit into a pass, the shift m is found in a first round of passes.
        graph = feature.with_graph(rows) if len(rows) <= size else None
        value = graph[1].detach() if graph else feature(rows)
        change = value.unflatten(0, offset.shape[:2]) - clean[:, None]
        shift = (change[:, :pairs] + change[:, pairs:]) / 2  # the pairs' own estimates of m
        others = (shift.sum(1, keepdim=True) - shift) / (pairs - 1)
        others = torch.cat([others, others], dim=1).flatten(0, 1)
        flat_offset, flat_probes = offset.flatten(0, 1), probes.flatten(0, 1)

        first, second = [], []
        for batch in torch.arange(len(rows)).split(size):
            leaf, value = graph or feature.with_graph(rows[batch])
            pulled = feature.pull(leaf, value, others[batch], keep=True)
            first.append(cells.gather(pulled * flat_offset[batch]).double())
            second.append(cells.gather(feature.pull(leaf, value, flat_probes[batch]).square()).double())
        first = torch.cat(first).unflatten(0, offset.shape[:2]).mean(1)
        second = torch.cat(second).unflatten(0, offset.shape[:2])
        second = _sum_of_units(second, clean.shape[1]) if clean.shape[1] <= 2 * pairs else second.mean(1)
        return first.cpu() / sigma**2 + second.cpu()


def _probes(generators: list[torch.Generator], samples: int, clean: Tensor) -> Tensor:
    """(B, samples, D): all unit vectors in turn where D is small enough, else random signs."""
    count, dimension = clean.shape
    if dimension <= samples:
        units = torch.eye(dimension, dtype=clean.dtype, device=clean.device)
        return units[torch.arange(samples) % dimension].expand(count, samples, dimension)
    return rademacher(generators, samples, dimension, clean)


def _sum_of_units(squares: Tensor, dimension: int) -> Tensor:
    """(B, samples, g, g), sample s probing unit s mod D -> the sum over D, each unit's samples averaged."""
    unit = torch.arange(squares.shape[1]) % dimension
    weight = 1.0 / torch.bincount(unit, minlength=dimension)[unit].to(squares)
    return (squares * weight[:, None, None]).sum(1)


def _descend(problem: Problem, scale: Tensor, energy_at) -> Descent:
    descent = Descent(problem.protocol, scale, problem.cells.grid)
    while bool(descent.active.any()):
        descent.step(energy_at(descent.step_count, descent.sigma))
    return descent


def _jackknife(problem: Problem, scale: Tensor, schedule: tuple[int, ...], energies: list[Tensor]) -> Tensor:
    """Variance of the reported entropy: the descent is repeated with each refresh left out in turn."""
    count = len(energies)
    stacked = torch.stack(energies)  # (refreshes, B, g, g)
    without = []
    for left_out in range(count):

        def energy_at(step: int, _sigma: Tensor, left_out: int = left_out) -> Tensor:
            seen = [i for i, at in enumerate(schedule[:count]) if at <= step and i != left_out]
            return stacked[seen or [1 - left_out]].mean(0)

        without.append(_descend(problem, scale, energy_at).best_sigma.log())
    spread = torch.stack(without)
    return (count - 1) / count * (spread - spread.mean(0)).square().sum(0)

"""Energies from the mean shift and the mean Jacobian of the feature, each estimated where it is least noisy."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import Tensor

from kdprobe.errors import ConfigError
from kdprobe.estimator.noise import normal
from kdprobe.estimator.protocols import RULES, Protocol
from kdprobe.estimator.solvers.deviations import deviations_of_mean
from kdprobe.estimator.solvers.linear import LinearPart, feature_scale
from kdprobe.estimator.solvers.probes import choose_probes
from kdprobe.estimator.solvers.problem import Problem, Solution
from kdprobe.estimator.solvers.pulls import Pulls
from kdprobe.estimator.solvers.rounds import Round, Rounds
from kdprobe.estimator.solvers.route import walk
from kdprobe.estimator.solvers.self_check import try_out


@dataclass(frozen=True)
class Decomposed:
    """Splits Df = f(x') - f(x) into its mean m and its fluctuation.

    sigma_i² a_i = <m, E[J(x') (sigma e)_i]> + E<Df - m, J(x') (sigma e)_i>.

    First term, the mean shift: noise comes in antithetic pairs (e, -e), and m is taken from the other pairs
    (cross-fitting), so that the product has no bias.

    Second term, the fluctuation: sigma_i² [(1 - blend) ‖E J_i‖² + blend E‖J_i‖²], squared columns of the mean Jacobian
    and of the Jacobian at noisy points. Where f is linear the two are the same. For a unit relu(z - t), z ~ N(0, 1),
    the term is P - phi(t) E relu(z - t) with P = P(z > t), against P² and P; averaged over kinks t that lie evenly, it
    is the mean Jacobian's. For smooth f it is the other's. `blend` 0.15 is what long runs on trained networks of ReLU
    and max-pooling gave (0.04 to 0.23 where it matters); the self-check measures it on each image, and what the image
    says counts by how sure it is. Both squares come from pulling every probe (see `choose_probes`) at two or more
    noisy points: products of different points give the mean Jacobian, squares the other.

    sigma_f² is a mean over noisy points from which the linear part, known from the pulls, is taken out and put back
    with its expectation (`feature_scale`).

    The protocol's descent runs with the mean of the energies that were measured at `refreshes` places of its way; their
    change along it is within the noise. Such rounds are repeated until the mean standard error of an image's cells is
    at most `tolerance` and the self-check is passed, at most `max_rounds` times.
    """

    reports: ClassVar[tuple[str, ...]] = RULES

    #: nats, mean standard error of the cells at which an image is done; None: one round
    tolerance: float | None = 0.02
    max_rounds: int = 8
    pairs: int = 3  #: antithetic pairs at each refresh; they are held together, rounds are not
    refreshes: int = 7
    scale_samples: int = 48  #: forward passes of a round for sigma_f² and the choice of probes
    check_samples: int = 3  #: noises of a round with which the self-check makes 4 forward passes each
    blend: float = 0.15  #: share of E‖J_i‖² in the fluctuation before the self-check has spoken
    blend_error: float = 0.1  #: how sure that is, one standard deviation

    def __post_init__(self) -> None:
        least = {"pairs": 2, "refreshes": 2, "check_samples": 2, "scale_samples": 4, "max_rounds": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ConfigError(f"decomposed needs {name} >= {bound}, got {getattr(self, name)}.")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ConfigError(f"tolerance must be above 0 nats (usual: 0.02), got {self.tolerance!r}.")

    def samples_at_once(self, protocol: Protocol) -> int:
        return 2 * self.pairs

    def as_dict(self) -> dict:
        return {"name": "decomposed", **asdict(self)}

    def solve(self, problem: Problem) -> Solution:
        rounds = Rounds(problem, self.blend, self.blend_error)
        return rounds.until(self.tolerance, self.max_rounds, self._round)

    def _round(
        self, problem: Problem, generators: list[torch.Generator], known: Tensor | None
    ) -> list[Round]:
        """3 x 2 x pairs x refreshes + scale_samples + 4 x check_samples passes an image."""
        protocol, cells = problem.protocol, problem.cells
        noise = normal(generators, self.scale_samples, problem.images[0]) * protocol.feature_scale_sigma
        change = problem.change(problem.images[:, None] + noise)
        pairs = self.pairs * self.refreshes
        pulls = [
            Pulls(choose_probes(rows, pairs, generator), pairs, cells, problem.images[0])
            for rows, generator in zip(change, generators, strict=True)
        ]
        shifts: list[Tensor] = []
        visited: list[Tensor] = []

        def measure(sigma: Tensor) -> Tensor:
            shifts.append(self._refresh(problem, generators, pulls, sigma))
            visited.append(sigma)
            return torch.cat(shifts, 1).mean(1) + torch.stack([pull.so_far() for pull in pulls])

        rough = change.double().square().sum(2).mean(1).cpu()
        walk(protocol, rough, cells.grid, self.refreshes, measure, known)
        linear = [LinearPart(pull.mean_gradients(), cells) for pull in pulls]
        trials = try_out(problem, generators, visited[-1], self.check_samples, linear)
        by_refresh = torch.stack([shift.mean(1) for shift in shifts], 1)
        return [
            Round(
                shift=shift.mean(0),
                jacobians=pull.energies(),
                # Pairs of one refresh share their mean shift: only whole refreshes are independent of each other.
                energy_deviations=torch.cat([deviations_of_mean(shift), pull.deviations(self.blend)]),
                scale=feature_scale(rows, noises, protocol.feature_scale_sigma, part),
                trial=trial,
            )
            for shift, pull, rows, noises, part, trial in zip(
                by_refresh, pulls, change, noise, linear, trials, strict=True
            )
        ]

    def _refresh(
        self, problem: Problem, generators: list[torch.Generator], pulls: list[Pulls], sigma: Tensor
    ) -> Tensor:
        """The shift's energies at sigma (B, g, g) as every pair says, (B, pairs, g, g); probes are pulled on the way.

        3 x 2 x pairs passes an image: forward, one backward for the shift, one for the probes.
        """
        pixels = problem.cells.spread(sigma.to(problem.images))[:, None, None]
        half = normal(generators, self.pairs, problem.images[0]) * pixels
        offset = torch.cat([half, -half], dim=1)  # (B, 2 pairs, C, H, W)
        found = [
            self._pass(problem.only(part), offset[part], pulls[part])
            for part in problem.parts(2 * self.pairs)
        ]
        return torch.cat(found) / sigma[:, None] ** 2

    def _pass(self, problem: Problem, offset: Tensor, pulls: list[Pulls]) -> Tensor:
        """sigma_i² a_i of the shift for images whose samples fit into one pass, (B, pairs, g, g)."""
        cells, shape = problem.cells, offset.shape[:2]
        offset = offset.flatten(0, 1)
        rows = problem.images.repeat_interleave(shape[1], 0) + offset
        found: list[tuple[Tensor, Tensor]] = []

        def shift_of_others(part: slice, value: Tensor) -> Tensor:
            if not found:
                # Where one pass does not hold all rows, f is needed everywhere before the first gradient.
                every = value if len(value) == len(rows) else problem.feature(rows)
                change = every.unflatten(0, shape) - problem.clean[:, None]
                found.append(_shift_of_others(change))
            return found[0][0][part]

        vectors = torch.cat([pull.next_vectors(self.pairs) for pull in pulls])
        _, (shares, gradients) = problem.feature.pull_through(
            rows,
            [shift_of_others, vectors],
            [lambda part, gradient: cells.gather(gradient * offset[part]), lambda part, gradient: gradient],
        )
        for pull, pulled in zip(pulls, gradients.unflatten(0, shape), strict=True):
            pull.add(pulled)
        shares = shares.double().cpu().unflatten(0, (shape[0], 2, self.pairs)).mean(1)
        return shares * found[0][1].double().cpu()[:, None, None, None]


def _shift_of_others(change: Tensor) -> tuple[Tensor, Tensor]:
    """For every row the mean shift that the image's other pairs say, (B 2P, D), in units of its size (B,).

    change (B, 2P, D): the second half of the rows are the antithetic partners of the first. The unit keeps cotangents
    near 1, so that features of any scale stay within float32.
    """
    pairs = change.shape[1] // 2
    by_pair = (change[:, :pairs] + change[:, pairs:]) / 2
    others = (by_pair.sum(1, keepdim=True) - by_pair) / (pairs - 1)
    size = others.abs().amax((1, 2)).clamp(min=torch.finfo(others.dtype).tiny)
    others = others / size[:, None, None]
    return torch.cat([others, others], dim=1).flatten(0, 1), size

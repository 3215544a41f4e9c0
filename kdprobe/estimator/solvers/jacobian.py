"""Energies from the Jacobian at the image itself: the limit of small noise."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from kdprobe.errors import ConfigError
from kdprobe.estimator.protocols import RULES, Protocol
from kdprobe.estimator.solvers.deviations import deviations_of_mean, fold
from kdprobe.estimator.solvers.probes import choose_probes
from kdprobe.estimator.solvers.problem import Problem, Solution
from kdprobe.estimator.solvers.settle import settle


@dataclass(frozen=True)
class Jacobian:
    """a_i = ‖J_i(x)‖², J_i the columns of cell i, from `probes` backward passes; sigma_f² is its limit as well.

    Cheapest, and another quantity: no mean shift, no kinks between x and x'. Near the protocol's where f is nearly
    linear over the noise; where the mean shift dominates the two have little in common.
    """

    reports: ClassVar[tuple[str, ...]] = RULES

    probes: int = 64  #: every unit, where no more are active, else random orthogonal directions

    def __post_init__(self) -> None:
        if self.probes < 2:
            raise ConfigError(f"jacobian needs probes >= 2, got {self.probes}.")

    def samples_at_once(self, protocol: Protocol) -> int:
        return self.probes

    def as_dict(self) -> dict:
        return {"name": "jacobian", **asdict(self)}

    def solve(self, problem: Problem) -> Solution:
        protocol, cells = problem.protocol, problem.cells
        energies, deviations = [], []
        for image, clean, generator in zip(problem.images, problem.clean, problem.generators(), strict=True):
            probes = choose_probes(torch.stack([clean, clean]), self.probes, generator)
            _, (squares,) = problem.feature.pull_through(
                image.expand(probes.count, *image.shape),
                [probes.vectors],
                [lambda part, gradient: cells.gather(gradient.double().square()).cpu()],
            )
            energies.append(squares.sum(0))
            random = squares[probes.singled_out :]
            spread = len(random) * deviations_of_mean(random) * probes.unsampled**0.5
            deviations.append(spread if len(random) else torch.zeros_like(squares[:1]))
        energy = torch.stack(energies)
        scale = protocol.feature_scale_sigma**2 * energy.sum((1, 2))
        scale[~problem.clean.isfinite().all(1).cpu()] = torch.nan  # its Jacobian may be finite all the same
        # sigma_f² is the sum of the energies: its noise is theirs.
        off = [
            one.sum((1, 2)) * protocol.feature_scale_sigma**2 / s
            for one, s in zip(deviations, scale, strict=True)
        ]
        return settle(
            protocol,
            scale,
            energy,
            torch.stack([fold(one) for one in deviations]),
            torch.stack([one.square().sum(0) for one in deviations]),
            torch.stack([fold(one) for one in off]),
            torch.stack([one.square().sum() for one in off]),
            {},
        )

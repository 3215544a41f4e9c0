"""What is pulled back through the Jacobian at noisy points, probe by probe, for one image."""

import torch
from torch import Tensor

from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.solvers.deviations import deviations_of_mean
from kdprobe.estimator.solvers.probes import Probes


class Pulls:
    """Collects J(x')ᵀ v of every probe v at two or more independent noisy points x'.

    A replicate is one pull, or, where there are probes few enough, the mean of the pulls at both points of an
    antithetic pair (odd parts of the Jacobian's noise cancel). With r replicates of probe k the product of different
    ones, (‖sum‖² - sum of squares) / (r (r - 1)), has the expectation ‖(E J)ᵀ v‖² in every cell.
    """

    def __init__(self, probes: Probes, pairs: int, cells: CellGrid, like: Tensor) -> None:
        """`pairs` antithetic pairs are to come; `like` is the image (C, H, W)."""
        self._probes, self._cells = probes, cells
        count = probes.count
        self._paired = count <= pairs // 2
        self._order = [(j, j) if self._paired else (2 * j, 2 * j + 1) for j in range(pairs)]
        self._order = [(plus % count, minus % count) for plus, minus in self._order]
        self._turn = 0
        self._sum = like.new_zeros(count, *like.shape)
        self._replicates: list[tuple[int, Tensor]] = []  # probe and squared norm in every cell
        self._squares = torch.zeros(count, cells.grid, cells.grid, dtype=torch.float64)
        self._seen = torch.zeros(count, dtype=torch.float64)

    def next_vectors(self, pairs: int) -> Tensor:
        """(2 pairs, D): the probes for the next pairs, those at the first points before those at their partners."""
        chosen = self._order[self._turn : self._turn + pairs]
        return self._probes.vectors[[plus for plus, _ in chosen] + [minus for _, minus in chosen]]

    def add(self, pulled: Tensor) -> None:
        """(2 pairs, C, H, W), what came of `next_vectors`."""
        pairs = len(pulled) // 2
        chosen = self._order[self._turn : self._turn + pairs]
        self._turn += pairs
        squares = self._gathered_squares(pulled)
        if self._paired:
            owners = [plus for plus, _ in chosen]
            pulled = (pulled[:pairs] + pulled[pairs:]) / 2
            squares = (squares[:pairs] + squares[pairs:]) / 2
            replicates = self._gathered_squares(pulled)
        else:
            owners = [plus for plus, _ in chosen] + [minus for _, minus in chosen]
            replicates = squares
        index = torch.tensor(owners)
        self._sum.index_add_(0, index.to(pulled.device), pulled)
        self._squares.index_add_(0, index, squares)
        self._seen.index_add_(0, index, torch.ones(len(owners), dtype=torch.float64))
        self._replicates += zip(owners, replicates, strict=True)

    def _gathered_squares(self, gradients: Tensor) -> Tensor:
        return self._cells.gather(gradients.double().square()).cpu()

    def so_far(self) -> Tensor:
        """E‖J_i‖² (g, g) as well as what was pulled until now can say."""
        mean = self._squares / self._seen.clamp(min=1)[:, None, None]
        total = torch.zeros_like(mean[0])
        singled_out = torch.arange(self._probes.count) < self._probes.singled_out
        for kind in (singled_out, ~singled_out):
            seen = kind & (self._seen > 0)
            if seen.any():
                total += mean[seen].mean(0) * int(kind.sum())
        return total

    def mean_gradients(self) -> Tensor:
        """(n, C, H, W): the mean over the replicates of each probe."""
        return self._sum / self._seen.to(self._sum)[:, None, None, None]

    def energies(self) -> tuple[Tensor, Tensor]:
        """‖E J_i‖² and E‖J_i‖², (g, g) each."""
        return tuple(by_probe.sum(0) for by_probe in self._energies_by_probe())

    def _energies_by_probe(self) -> tuple[Tensor, Tensor]:
        squares = torch.zeros_like(self._squares)
        for owner, replicate in self._replicates:
            squares[owner] += replicate
        seen = self._seen[:, None, None]
        products = (self._gathered_squares(self._sum) - squares) / (seen * (seen - 1))
        return products, self._squares / seen

    def deviations(self, blend: float) -> Tensor:
        """(S, g, g) deviations of (1 - blend) ‖E J_i‖² + blend E‖J_i‖² for the noise of its sources.

        The noise of the points: squares of a probe's replicates spread, for Gaussian noise, twice as much as
        products of two of them; so for r = 2 the variance is (difference of the squares)² / 4, and for more replicates
        deviations of the mean square are on the safe side. The choice of random probes: the spread between them.
        """
        probes = self._probes
        found = []
        for probe in range(probes.count):
            own = torch.stack([replicate for owner, replicate in self._replicates if owner == probe])
            share = 1.0 if probe < probes.singled_out else 1 - probes.unsampled
            found.append(deviations_of_mean(own) * share**0.5)
        if probes.count - probes.singled_out > 1:
            mean_jacobian, noisy_jacobian = self._energies_by_probe()
            energies = ((1 - blend) * mean_jacobian + blend * noisy_jacobian)[probes.singled_out :]
            between = deviations_of_mean(energies) * len(energies)  # of the sum
            found.append(between * probes.unsampled**0.5)
        return torch.cat(found)

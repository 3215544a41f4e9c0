"""Probes: feature directions v with sum_k v_k v_kᵀ = identity on average, chosen where the feature moves.

sum_k ‖J_iᵀ v_k‖² over all probes is then the squared norm of the Jacobian's columns of cell i. Random probes alone
(Hutchinson 1989) are noisy: their products see all pairs of directions. A fully connected layer with ReLU has few units
that move at all (11 to 97 of 128 to 256 on the networks measured), and of these some directions carry most of the
energy. Directions taken one by one have no such noise; random ones stand for the rest only (as in Hutch++, Meyer,
Musco, Musco and Woodruff, SOSA 2021), and are orthogonal to each other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Probes:
    """The probes of one image."""

    vectors: Tensor  #: (n, D)
    singled_out: int  #: the first so many are directions of their own, the rest are random
    remaining: int  #: dimensions that the random ones stand for

    @property
    def count(self) -> int:
        return len(self.vectors)

    @property
    def unsampled(self) -> float:
        """Share of the space of the random probes that they leave out: so much of the variance between them counts."""
        random = self.count - self.singled_out
        return 1 - random / self.remaining if random else 0.0


def choose_probes(changes: Tensor, slots: int, generator: torch.Generator) -> Probes:
    """At most `slots` probes for a feature that changed by `changes` (S, D) under S independent noises.

    Where no more units move than there are slots, each has its own probe. Else the leading directions of half of
    the changes get one if the other half agrees that they carry more than a slot's share.
    """
    # Values that broke show in sigma_f²; here they must not stop the other images. The scale is to change nothing.
    changes = changes.nan_to_num(0.0, 0.0, 0.0)
    changes = changes / changes.abs().amax().clamp(min=torch.finfo(changes.dtype).tiny)
    moves = changes.abs().amax(0) > 0
    units = moves.nonzero().flatten()
    count = len(units)
    if count <= slots:
        found = changes.new_zeros(max(count, 1), changes.shape[1])
        found[torch.arange(count, device=units.device), units] = 1.0
        singled_out, remaining = len(found), 0
    else:
        directions = _leading(changes, slots)
        singled_out = len(directions)
        remaining = count - singled_out
        # Normal, not signs: only so are all directions of the remaining space equally likely.
        shape = (slots - singled_out, changes.shape[1])
        random = torch.randn(shape, generator=generator, dtype=changes.dtype).to(changes.device) * moves
        random = random - (random @ directions.T) @ directions
        orthogonal, triangle = torch.linalg.qr(random.T)
        # As Gram-Schmidt signs them: qr leaves that to rounding, and passengers see it.
        orthogonal = torch.where(triangle.diagonal() < 0, -orthogonal, orthogonal).T
        found = torch.cat([directions, orthogonal * (remaining / len(orthogonal)) ** 0.5])
    # Units that did not move so far may do so elsewhere: they ride along with random signs.
    riding = slice(singled_out, None) if remaining else slice(None)
    passengers = _signs(len(found[riding]), changes, generator) * ~moves
    found[riding] += passengers / len(passengers) ** 0.5
    return Probes(found, singled_out, remaining)


def _leading(changes: Tensor, slots: int) -> Tensor:
    """(K, D), orthonormal: as many leading directions as deserve a probe of their own, at most half of the slots."""
    half = len(changes) // 2
    one, other = (part - part.mean(0) for part in (changes[:half], changes[half:]))
    trial = torch.linalg.svd(one, full_matrices=False)[2]
    share = (other @ trial.T).square().sum(0) / other.square().sum()
    deserving = (share[: slots // 2] >= 1 / slots).long().cumprod(0).sum()
    return torch.linalg.svd(changes - changes.mean(0), full_matrices=False)[2][:deserving]


def _signs(count: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """(count, D) of +1 and -1."""
    drawn = torch.randint(0, 2, (count, like.shape[1]), generator=generator, dtype=torch.int8)
    return drawn.to(like.device, like.dtype).mul_(2).sub_(1)

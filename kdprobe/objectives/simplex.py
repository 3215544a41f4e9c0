"""The best convex combination of a few networks' logits, image by image."""

import torch
from torch import Tensor

_ITERATIONS = 300


def best_mixture(logits: Tensor, labels: Tensor, gap: float = 1e-5) -> Tensor:
    """(B, K), float64, ≥ 0, rows sum to 1: the weights w whose Σ w_k z_k has the smallest cross-entropy.

    logits: (K, B, C); labels: (B,). The problem is convex: f(w) = log Σ_c exp(Σ_k w_k (z_kc - z_k,label)).
    Minimised by Newton's method with the barrier -m Σ log w_k, m going to 0, until the duality gap w·f' - min f',
    a bound on what is still to be gained, is at most `gap` nats. Where the best single network is not worse than
    the weights found, it alone is taken.
    """
    excess = without_label(logits, labels).double().transpose(0, 1)  # (B, K, C)
    single = excess.logsumexp(dim=2)
    alone = torch.nn.functional.one_hot(single.argmin(dim=1), single.shape[1]).to(excess)
    if single.shape[1] < 2:
        return alone
    weights = _interior(excess, gap)
    found = torch.einsum("bk,bkc->bc", weights, excess).logsumexp(dim=1)
    return torch.where((found < single.amin(dim=1)).unsqueeze(1), weights, alone)


def without_label(logits: Tensor, labels: Tensor) -> Tensor:
    """(K, B, C): every logit minus that of its image's label."""
    return logits - logits.gather(2, labels.long().expand(len(logits), -1).unsqueeze(2))


def _interior(excess: Tensor, gap: float) -> Tensor:
    """(B, K): the minimum by Newton's method, from equal weights on."""
    weights = torch.full_like(excess[:, :, 0], 1 / excess.shape[1])
    barrier = torch.full_like(weights[:, :1], 0.1)
    for _ in range(_ITERATIONS):
        step, decrement, slopes = _newton_step(weights, excess, barrier)
        left = -slopes.amin(dim=1, keepdim=True) > gap
        if not bool(left.any()):
            break
        moved = _line_search(weights, step, decrement, excess, barrier)
        weights = torch.where(left, moved, weights)
        barrier = torch.where(left & (decrement < 0.1 * barrier), barrier / 30, barrier)
    return weights


def _newton_step(weights: Tensor, excess: Tensor, barrier: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Relative change of the weights (B, K), its squared Newton decrement (B, 1), the slopes f' - w·f' (B, K)."""
    mixed = torch.einsum("bk,bkc->bc", weights, excess)
    p = mixed.softmax(dim=1)
    # As Σ w stays 1, only differences from the mixture count; what all networks share would drown them.
    apart = excess - mixed.unsqueeze(1)
    slopes = torch.einsum("bc,bkc->bk", p, apart)
    spread = (apart - slopes.unsqueeze(2)) * weights.unsqueeze(2)
    curvature = torch.einsum("bc,bkc,blc->bkl", p, spread, spread)
    curvature = curvature + torch.diag_embed(barrier.expand_as(weights))
    gradient = weights * slopes - barrier
    solved = torch.linalg.solve(curvature, torch.stack([gradient, weights], dim=2))
    along, across = solved.unbind(dim=2)
    shift = (weights * along).sum(dim=1, keepdim=True) / (weights * across).sum(dim=1, keepdim=True)
    step = shift * across - along  # w·step = 0, so that the sum stays 1
    return step, -(gradient * step).sum(dim=1, keepdim=True), slopes


def _line_search(weights: Tensor, step: Tensor, decrement: Tensor, excess: Tensor, barrier: Tensor) -> Tensor:
    """(B, K): the weights after the longest of the steps 1, ½, ¼, ... that stays inside and goes down."""

    def value(at: Tensor) -> Tensor:
        mixed = torch.einsum("bk,bkc->bc", at, excess)
        return mixed.logsumexp(dim=1, keepdim=True) - barrier * at.log().sum(dim=1, keepdim=True)

    length = (0.95 / (-step).amax(dim=1, keepdim=True).clamp(min=0.95)).clamp(max=1)
    start = value(weights)
    for _ in range(40):
        moved = weights * (1 + length * step)
        moved = moved / moved.sum(dim=1, keepdim=True)
        high = value(moved) > start - 1e-4 * length * decrement + 1e-12 * start.abs()
        if not bool(high.any()):
            break
        length = torch.where(high, length / 2, length)
    return moved

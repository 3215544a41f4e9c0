"""How far along its teacher's way a student can follow: the greedy search for the next anchor."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor


def hardness(student: Iterable[Tensor], teacher: Iterable[Tensor]) -> float:
    """Mean over all images of KL(softmax(teacher) ‖ softmax(student)), nats, from batches of logits (B, C)."""
    total, count = 0.0, 0
    for s, t in zip(student, teacher, strict=True):
        s, t = torch.log_softmax(s.double(), dim=1), torch.log_softmax(t.double(), dim=1)
        total += float((t.exp() * (t - s)).sum())
        count += len(s)
    return total / max(count, 1)


def next_anchor(kept: Sequence[int], now: int, hard: Callable[[int], float], delta: float) -> int:
    """The next epoch of the teacher's way after `now` that is to teach; `kept` ascending, with `now` in it.

    `hard(k)` is the hardness of the anchor k for the student as it is. The farthest epoch is taken that is reached
    without meeting one where hard(now) < delta · hard(k), that is, one more than 1 / delta times as hard as the
    present anchor; at least the next kept one. Asks `hard` no more often than it needs.

    Source: Jin et al., Knowledge Distillation via Route Constrained Optimization, ICCV 2019, section on greedy
    search. Written from memory of the relative hardness and its threshold delta: the equation could not be
    checked against the paper, which measures on a validation set.
    """
    later = [epoch for epoch in kept if epoch > now]
    if not later:
        return now
    here, chosen = hard(now), later[0]
    for epoch in later:
        if here < delta * hard(epoch):
            break
        chosen = epoch
    return chosen

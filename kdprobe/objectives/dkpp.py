"""Dark knowledge with its class names shuffled."""

import torch
from torch import Generator, Tensor

from kdprobe.objectives.inputs import check_classes, check_logit_pair
from kdprobe.objectives.softened import others, softened_kl


def dkpp(
    student_logits: Tensor, teacher_logits: Tensor, generator: Generator, temperature: float = 1.0
) -> Tensor:
    """T² KL(permuted teacher ‖ student) at T; all but the teacher's largest probability change places.

    student_logits, teacher_logits: (B, C) with C ≥ 2; generator: draws one permutation per row, the same
    whatever device the logits are on; temperature: > 0. Returns (B,), nats times T², ≥ 0 up to rounding; half
    precision is computed in float32. The target keeps each row's largest probability in its place and all its
    values. With the cross-entropy in place of KL, as in the paper, the gradient is the same. Raises InputError
    if the shapes or the temperature cannot be used.

    Source: Furlanello et al., Born-Again Neural Networks, ICML 2018, section 3 (dark knowledge with permuted
    predictions), where the temperature is 1. From memory: its equations could not be checked against the text.
    """
    check_logit_pair(student_logits=student_logits, teacher_logits=teacher_logits)
    check_classes(student_logits)
    return softened_kl(student_logits, permuted(teacher_logits, generator), temperature)


def permuted(logits: Tensor, generator: Generator) -> Tensor:
    """(B, C): each row with its values, except the (first) largest, in an order that `generator` draws."""
    rest = others(logits.argmax(dim=1), logits.shape[1])
    keys = torch.rand(rest.shape, generator=generator, dtype=torch.float64, device=generator.device)
    return logits.scatter(1, rest, logits.gather(1, rest.gather(1, keys.argsort(dim=1).to(rest.device))))

"""Imitation of a teacher that saw more than the student does."""

import torch
from torch import Tensor

from kdprobe.objectives.inputs import at_least_float32, check_logit_pair, check_temperature


def generalised(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross-entropy of softmax(student), at temperature 1, with the target softmax(teacher / T).

    student_logits, teacher_logits: (B, C), the latter from the teacher's (privileged) inputs; temperature: > 0.
    Returns (B,), nats, never below the entropy of the target, reached where student = teacher / T up to a
    constant; half precision is computed in float32. Raises InputError if the shapes or the temperature cannot
    be used.

    Source: Lopez-Paz, Bottou, Schölkopf, Vapnik, Unifying Distillation and Privileged Information, ICLR 2016:
    the second term of its mixture (1 - λ) · labels + λ · imitation; λ is the weight in the
    recipe. From memory: not checked against the text.
    """
    check_logit_pair(student_logits=student_logits, teacher_logits=teacher_logits)
    check_temperature(temperature)
    target = torch.softmax(at_least_float32(teacher_logits) / temperature, dim=1)
    return -(target * torch.log_softmax(at_least_float32(student_logits), dim=1)).sum(dim=1)

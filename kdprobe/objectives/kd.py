"""Knowledge distillation by softened outputs."""

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.inputs import at_least_float32, check_logits, check_same_shape


def kd(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), summed over the classes.

    student_logits, teacher_logits: (B, C); temperature: > 0. Returns (B,), nats times T², ≥ 0 up to rounding
    and 0 where both are equal; half precision is computed in float32. The mean over the batch is what public
    code calls "batchmean"; "mean" would be smaller by the factor C. T² keeps the size of the gradient when T
    changes. Raises InputError if the shapes or the temperature cannot be used.

    Source: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, arXiv 1503.02531, section 2.
    """
    check_logits("student_logits", student_logits)
    check_same_shape(student_logits=student_logits, teacher_logits=teacher_logits)
    if not temperature > 0:
        raise InputError(f"The temperature must be above 0, got {temperature}; 4 is usual.")
    student = torch.log_softmax(at_least_float32(student_logits) / temperature, dim=1)
    teacher = torch.log_softmax(at_least_float32(teacher_logits) / temperature, dim=1)
    return temperature**2 * (teacher.exp() * (teacher - student)).sum(dim=1)

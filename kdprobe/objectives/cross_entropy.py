"""Cross-entropy with hard labels."""

import torch
from torch import Tensor

from kdprobe.objectives.inputs import at_least_float32, check_labels, check_logits
from kdprobe.objectives.softened import of_class


def cross_entropy(student_logits: Tensor, labels: Tensor) -> Tensor:
    """Minus the log probability that the student gives to the true class.

    student_logits: (B, C); labels: (B,) integers in 0 ... C-1. Returns (B,), nats, ≥ 0; half precision is
    computed in float32. Raises InputError if the shapes or labels do not fit.
    """
    check_logits("student_logits", student_logits)
    check_labels(labels, student_logits)
    log_probability = torch.log_softmax(at_least_float32(student_logits), dim=1)
    return -of_class(log_probability, labels)

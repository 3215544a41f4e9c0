"""Labels weighted by the teacher's confidence."""

import torch
from torch import Tensor

from kdprobe.objectives.cross_entropy import cross_entropy
from kdprobe.objectives.inputs import at_least_float32, check_logit_pair


def cwtm(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
    """(w / mean of w over the batch) times the cross-entropy with the hard label; w: the teacher's largest probability.

    student_logits, teacher_logits: (B, C); labels: (B,) integers in 0 ... C-1. Returns (B,), nats, ≥ 0; half
    precision is computed in float32. Their mean is Σ w CE / Σ w, so the weights move attention among the
    images of a batch and leave the size of the loss alone. The value of an image depends on its batch
    (a batch of one: plain cross-entropy). Raises InputError if shapes or labels do not fit.

    Source: Furlanello et al., Born-Again Neural Networks, ICML 2018, section 3 (confidence weighted by teacher
    max). The teacher is read at temperature 1. From memory: its equations could not be checked against the text.
    """
    check_logit_pair(student_logits=student_logits, teacher_logits=teacher_logits)
    weight = torch.softmax(at_least_float32(teacher_logits), dim=1).amax(dim=1)
    return weight / weight.mean() * cross_entropy(student_logits, labels)

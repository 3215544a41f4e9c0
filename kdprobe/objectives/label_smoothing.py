"""Cross-entropy with smoothed labels, in both conventions."""

import torch
from torch import Tensor

from kdprobe.objectives.inputs import (
    at_least_float32,
    check_classes,
    check_labels,
    check_logits,
    check_range,
)
from kdprobe.objectives.softened import of_class, others


def label_smoothing(student_logits: Tensor, labels: Tensor, alpha: float = 0.1) -> Tensor:
    """Cross-entropy with a target of 1 - α + α/C for the true class and α/C for every other one.

    student_logits: (B, C); labels: (B,) integers in 0 ... C-1; alpha: 0 ... 1, at 0 plain cross-entropy.
    Returns (B,), nats, never below the entropy of the target, reached where softmax(student) is the target;
    half precision is computed in float32. Raises InputError if shapes, labels or alpha do not fit.

    Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, section 7;
    the same as label_smoothing of torch.nn.functional.cross_entropy. `label_smoothing_tfkd` with
    α (C-1)/C is the same loss.
    """
    log_q = _checked(student_logits, labels, alpha)
    return -(1 - alpha) * of_class(log_q, labels) - alpha * log_q.mean(dim=1)


def label_smoothing_tfkd(student_logits: Tensor, labels: Tensor, alpha: float = 0.1) -> Tensor:
    """Cross-entropy with a target of 1 - α for the true class and α/(C-1) for every other one.

    student_logits: (B, C) with C ≥ 2; labels: (B,) integers in 0 ... C-1; alpha: 0 ... 1. Returns (B,), nats,
    never below the entropy of the target; half precision is computed in float32. Raises InputError if shapes,
    labels or alpha do not fit.

    Source: the code released with Yuan et al., Revisiting Knowledge Distillation via Label Smoothing
    Regularization, CVPR 2020.
    """
    log_q = _checked(student_logits, labels, alpha)
    check_classes(student_logits)
    wrong = log_q.gather(1, others(labels, log_q.shape[1]))
    return -(1 - alpha) * of_class(log_q, labels) - alpha * wrong.mean(dim=1)


def _checked(student_logits: Tensor, labels: Tensor, alpha: float) -> Tensor:
    check_logits("student_logits", student_logits)
    check_labels(labels, student_logits)
    check_range("alpha", alpha, 0, 1)
    return torch.log_softmax(at_least_float32(student_logits), dim=1)

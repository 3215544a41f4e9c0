"""Decoupled knowledge distillation: the target class and the others apart."""

import torch
from torch import Tensor

from kdprobe.objectives.inputs import (
    at_least_float32,
    check_classes,
    check_labels,
    check_logit_pair,
    check_range,
    check_temperature,
)
from kdprobe.objectives.softened import of_class, others, softened_kl


def tckd(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL between the two-way distributions (true class, any other class) of teacher and student at T.

    student_logits, teacher_logits: (B, C) with C ≥ 2; labels: (B,) integers in 0 ... C-1; temperature: > 0.
    Returns (B,), nats times T², ≥ 0 up to rounding and 0 where both are equal; half precision is computed in
    float32. Raises InputError if shapes, labels or the temperature cannot be used.

    Source: Zhao et al., Decoupled Knowledge Distillation, CVPR 2022, section 3. With p the teacher's
    probability of the true class at T: kd = tckd + (1 - p) nckd.
    """
    rest = _checked(student_logits, teacher_logits, labels, temperature)
    return _target(student_logits, teacher_logits, labels, rest, temperature)


def nckd(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL(teacher ‖ student) among the classes other than the true one, renormalised to 1.

    Arguments, result, errors and source as for `tckd`. 0 for two classes, where only one other is left. The
    true class is left out, not pushed down by a large number as in released code, so that large logits count.
    """
    rest = _checked(student_logits, teacher_logits, labels, temperature)
    return _rest(student_logits, teacher_logits, rest, temperature)


def dkd(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    """α `tckd` + β `nckd`.

    Arguments, result, errors and source as for `tckd`; alpha, beta: ≥ 0. The paper chooses beta by the pair of
    networks. The released code adds cross-entropy and lets the weight of this term rise over 20 epochs.
    """
    check_range("alpha", alpha, 0, float("inf"))
    check_range("beta", beta, 0, float("inf"))
    rest = _checked(student_logits, teacher_logits, labels, temperature)
    target = _target(student_logits, teacher_logits, labels, rest, temperature)
    return alpha * target + beta * _rest(student_logits, teacher_logits, rest, temperature)


def _target(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, rest: Tensor, temperature: float
) -> Tensor:
    student, teacher = (_two_way(z, labels, rest, temperature) for z in (student_logits, teacher_logits))
    return temperature**2 * softened_kl(student, teacher, 1.0)


def _rest(student_logits: Tensor, teacher_logits: Tensor, rest: Tensor, temperature: float) -> Tensor:
    return softened_kl(student_logits.gather(1, rest), teacher_logits.gather(1, rest), temperature)


def _two_way(logits: Tensor, labels: Tensor, rest: Tensor, temperature: float) -> Tensor:
    """(B, 2): logits at T of the true class and of all others together."""
    scaled = at_least_float32(logits) / temperature
    return torch.stack([of_class(scaled, labels), scaled.gather(1, rest).logsumexp(dim=1)], dim=1)


def _checked(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """(B, C-1): the classes beside each label."""
    check_logit_pair(student_logits=student_logits, teacher_logits=teacher_logits)
    check_labels(labels, student_logits)
    check_classes(student_logits)
    check_temperature(temperature)
    return others(labels, student_logits.shape[1])

"""A teacher that is a formula: nearly sure of the true class, then softened."""

import math

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.inputs import (
    at_least_float32,
    check_classes,
    check_labels,
    check_logits,
    check_temperature,
    is_number,
)
from kdprobe.objectives.softened import of_class, others

FORMS = ("released", "paper")


def virtual_teacher(
    student_logits: Tensor,
    labels: Tensor,
    correct_probability: float = 0.99,
    temperature: float = 20.0,
    form: str = "released",
) -> Tensor:
    """KL(softened virtual teacher ‖ student), summed over the classes.

    The virtual teacher gives a = correct_probability to the true class and (1-a)/(C-1) to every other one.
    form "released": it is softened as softmax(probabilities / T), the student stays at temperature 1. As
    probabilities differ by less than 1, the target is then nearly uniform: 0.0105 for the true one of 100
    classes at T = 20. form "paper": D_KL(pᵈ_τ, p_τ) of equation 9, both softened and without T², the virtual
    teacher as softmax(log probabilities / T).

    student_logits: (B, C) with C ≥ 2; labels: (B,) integers in 0 ... C-1; correct_probability: in (1/C, 1);
    temperature: > 0. Returns (B,), nats, ≥ 0 up to rounding and 0 where the student gives the target; half
    precision is computed in float32. The released weight counts for the mean over the classes; here that is
    this value divided by C. Raises InputError if shapes, labels or options do not fit.

    Source: Yuan et al., Revisiting Knowledge Distillation via Label Smoothing Regularization, CVPR 2020
    (Tf-KD_reg), and its released code. That equation 9 softens the student too is said by readers and authors
    in issues 3 and 24 of that code; how it softens pᵈ could not be checked against the text.
    """
    check_logits("student_logits", student_logits)
    check_labels(labels, student_logits)
    check_classes(student_logits)
    check_temperature(temperature)
    classes = student_logits.shape[1]
    if not (is_number(correct_probability) and 1 / classes < correct_probability < 1):
        raise InputError(
            f"correct_probability must lie above 1/{classes} (one over the classes) and below 1, got "
            f"{correct_probability!r}."
        )
    if form not in FORMS:
        raise InputError(f"form must be one of {', '.join(FORMS)}, got {form!r}.")
    true, wrong = correct_probability, (1 - correct_probability) / (classes - 1)
    if form == "released":
        gap, student_temperature = (true - wrong) / temperature, 1.0
    else:
        gap, student_temperature = math.log(true / wrong) / temperature, temperature
    # softmax of C numbers of which one lies `gap` above the others
    log_true = -math.log1p((classes - 1) * math.exp(-gap))
    log_wrong = log_true - gap
    log_q = torch.log_softmax(at_least_float32(student_logits) / student_temperature, dim=1)
    of_wrong = (log_wrong - log_q.gather(1, others(labels, classes))).sum(dim=1)
    return math.exp(log_true) * (log_true - of_class(log_q, labels)) + math.exp(log_wrong) * of_wrong

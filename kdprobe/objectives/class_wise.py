"""Self-distillation between images of one class."""

from torch import Tensor

from kdprobe.objectives.inputs import check_logit_pair
from kdprobe.objectives.softened import softened_kl


def class_wise(student_logits: Tensor, partner_logits: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL(softmax(partner / T) ‖ softmax(student / T)); the partner is a target and gets no gradient.

    student_logits: (B, C); partner_logits: (B, C), the student's outputs for another image of each one's
    class; temperature: > 0. Returns (B,), nats times T², ≥ 0 up to rounding and 0 where both are equal; half
    precision is computed in float32. Raises InputError if the shapes or the temperature cannot be used.

    Source: Yun, Park, Lee, Shin, Regularizing Class-wise Predictions via Self-knowledge Distillation, CVPR
    2020 (CS-KD), and its released code.
    """
    check_logit_pair(student_logits=student_logits, partner_logits=partner_logits)
    return softened_kl(student_logits, partner_logits.detach(), temperature)

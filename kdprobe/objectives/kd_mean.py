"""Knowledge distillation in the form that public code gets from KL divergence with reduction "mean"."""

from torch import Tensor

from kdprobe.objectives.kd import kd


def kd_mean(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)) / C: the mean over the classes, not the sum.

    student_logits, teacher_logits: (B, C); temperature: > 0. Returns (B,), nats times T², ≥ 0 up to rounding
    and 0 where both are equal: `kd` divided by the number of classes. It exists so that weights of code that
    averages over batch and classes (a KLDivLoss without reduction="batchmean") can be used as they are.
    Raises InputError as `kd` does.
    """
    return kd(student_logits, teacher_logits, temperature) / student_logits.shape[1]

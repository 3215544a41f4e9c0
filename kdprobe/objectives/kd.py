"""Knowledge distillation by softened outputs."""

from torch import Tensor

from kdprobe.objectives.inputs import check_logit_pair
from kdprobe.objectives.softened import softened_kl


def kd(student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), summed over the classes.

    student_logits, teacher_logits: (B, C); temperature: > 0. Returns (B,), nats times T², ≥ 0 up to rounding
    and 0 where both are equal; half precision is computed in float32. The mean over the batch is what public
    code calls "batchmean"; "mean" is smaller by the factor C: see `kd_mean`. T² keeps the size of the gradient
    when T changes. Raises InputError if the shapes or the temperature cannot be used.

    Source: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, arXiv 1503.02531, section 2.
    """
    check_logit_pair(student_logits=student_logits, teacher_logits=teacher_logits)
    return softened_kl(student_logits, teacher_logits, temperature)

"""Self-distillation between two views of one image."""

from torch import Tensor

from kdprobe.objectives.inputs import check_logit_pair
from kdprobe.objectives.softened import softened_kl


def view_consistency(student_logits: Tensor, view_logits: Tensor, temperature: float = 4.0) -> Tensor:
    """T² KL(softmax(view / T) ‖ softmax(student / T)); the view is a target and gets no gradient.

    student_logits: (B, C); view_logits: (B, C), the student's outputs for another augmented view of the same
    images; temperature: > 0. Returns (B,), nats times T², ≥ 0 up to rounding and 0 where both are equal; half
    precision is computed in float32. Raises InputError if the shapes or the temperature cannot be used.

    Source: the sample-wise counterpart of `class_wise` that Yun et al., CVPR 2020, compare with and add to it. From
    memory: not checked against the text.
    """
    check_logit_pair(student_logits=student_logits, view_logits=view_logits)
    return softened_kl(student_logits, view_logits.detach(), temperature)

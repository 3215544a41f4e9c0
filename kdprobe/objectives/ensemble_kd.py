"""Distillation from the ensemble of networks that are trained together."""

from torch import Tensor

from kdprobe.objectives.inputs import check_logit_pair
from kdprobe.objectives.softened import softened_kl


def ensemble_kd(student_logits: Tensor, ensemble_logits: Tensor, temperature: float = 2.0) -> Tensor:
    """T² KL(softmax(ensemble / T) ‖ softmax(student / T)); the ensemble is a target and gets no gradient.

    student_logits, ensemble_logits: (B, C), the latter made by `kdcl_target`; temperature: > 0. Returns (B,),
    nats times T², ≥ 0 up to rounding and 0 where both are equal; half precision is computed in float32. Raises
    InputError if the shapes or the temperature cannot be used.

    Source: Guo et al., Online Knowledge Distillation via Collaborative Learning, CVPR 2020 (KDCL).
    The default temperature is from memory: not checked against the text.
    """
    check_logit_pair(student_logits=student_logits, ensemble_logits=ensemble_logits)
    return softened_kl(student_logits, ensemble_logits.detach(), temperature)

"""Regression to the teacher's logits."""

from torch import Tensor

from kdprobe.objectives.inputs import at_least_float32, check_logit_pair


def logit_regression(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """½ Σ (student - teacher)² over the classes, of the logits as they are (neither centred nor scaled).

    student_logits, teacher_logits: (B, C). Returns (B,), ≥ 0 and 0 where both are equal, in squared units of
    the logits; half precision is computed in float32. Unlike the losses on probabilities it sees a constant
    added to a row. Public code often takes the mean over the classes without the ½: this value times 2 / C.
    Raises InputError if the shapes differ.

    Source: Ba, Caruana, Do Deep Nets Really Need to be Deep?, NIPS 2014: 1/(2N) Σ ‖g(x) - z‖² over N samples.
    The factor is from memory: it could not be checked against the text.
    """
    check_logit_pair(student_logits=student_logits, teacher_logits=teacher_logits)
    difference = at_least_float32(student_logits) - at_least_float32(teacher_logits)
    return difference.square().sum(dim=1) / 2

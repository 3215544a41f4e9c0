"""Probabilistic knowledge transfer: who is whose neighbour in the batch."""

from torch import Tensor

from kdprobe.objectives.relations import as_probabilities, cosine_kernel, rows_of

_EPS = 1e-7  # of the released code


def pkt(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean over j of p_ij log((p_ij + 1e-7) / (q_ij + 1e-7)): KL divided by B, p of the teacher, q of the student.

    p_ij is how likely image j is as a neighbour of image i: (1 + cosine) / 2 of both features, divided by its sum over
    all j, image i itself included as in the released code. The mean over the batch is that code's loss.

    student_feature, teacher_feature: (B, ...) of one batch, flattened; their widths may differ. Returns (B,), nats / B,
    ≥ 0 up to rounding and the 1e-7; 0 where the probabilities are equal, under another rotation or scale of the
    features (also image by image), and for a single image. Half precision is computed in float32. A row of zeros has
    the cosine 0 with all and gets no gradient (released code: NaN). Raises InputError if the batches differ.

    Source: Passalis, Tefas, Learning Deep Representations with Probabilistic Knowledge Transfer, ECCV 2018, and its
    released code; the same in RepDistiller and torchdistill. From memory the paper's sum leaves image i out; that could
    not be checked against the text.
    """
    student, teacher = rows_of(student_feature, teacher_feature)
    q, p = (as_probabilities(cosine_kernel(rows, _EPS)) for rows in (student, teacher))
    return (p * ((p + _EPS) / (q + _EPS)).log()).mean(dim=1)

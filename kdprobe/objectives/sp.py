"""Similarity-preserving distillation."""

from torch import Tensor

from kdprobe.objectives.feature_maps import unit_rows
from kdprobe.objectives.relations import rows_of


def sp(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Of each image: Σ_j (S_ij - T_ij)² / B, S and T the similarities of image i with all images of the batch.

    A network's similarities are the rows of F Fᵀ, F (B, D) its flattened features, each divided by its L2 norm (the
    row of F Fᵀ, not that of F). The value of image i is the share of row i: the mean over the batch is ‖S - T‖²_F / B².

    student_feature, teacher_feature: (B, ...) of one batch; all else may differ. Returns (B,), ≥ 0, without unit, at
    most 4 / B, 0 where the rows of similarities are equal: under another scale or rotation of the features, and for
    a single image. Half precision is computed in float32. An image whose features are all zero is similar to none,
    itself included, and gets a gradient from the other images' rows only (released code: up to 1e12 from its own); so
    counts a row of F Fᵀ of norm ≤ 1e-12. Raises InputError if the batches differ.

    Source: Tung, Mori, Similarity-Preserving Knowledge Distillation, ICCV 2019, for one layer and without its weight γ;
    the same in RepDistiller and mdistiller. Its equations were not checked against the text.
    """
    student, teacher = rows_of(student_feature, teacher_feature)
    difference = unit_rows(student @ student.mT) - unit_rows(teacher @ teacher.mT)
    return difference.square().sum(dim=1) / len(difference)

"""What the objectives that compare how the images of a batch lie to each other share."""

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.inputs import at_least_float32

#: the smallest squared distance of two images, which their public code has too; below it there is no gradient
LEAST_SQUARE = 1e-12


def rows_of(student_feature: Tensor, teacher_feature: Tensor, of: str = "_feature") -> tuple[Tensor, Tensor]:
    """Both features (B, ...) as rows (B, D), D their own, in float32 at least.

    Raises InputError unless both are of one batch. `of`: what stands after "student" and "teacher" in that sentence.
    """
    if min(student_feature.ndim, teacher_feature.ndim) < 2 or len(student_feature) != len(teacher_feature):
        raise InputError(
            f"student{of} and teacher{of} must be (batch, ...) of one batch, got {tuple(student_feature.shape)} and "
            f"{tuple(teacher_feature.shape)}; give both networks the same images."
        )
    student, teacher = (at_least_float32(each).flatten(1) for each in (student_feature, teacher_feature))
    return student, teacher


def gram(rows: Tensor) -> Tensor:
    """(B, B), float64: inner products of the rows (B, D), counted from their mean.

    Differences of such products are distances. In float32 they would be lost where the rows lie close together and far
    from the origin. What is made of them may not depend on that mean, so it is a constant for the gradient.
    """
    wide = rows.double()
    centred = wide - wide.detach().mean(dim=0)
    return centred @ centred.mT


def squared_distances(products: Tensor) -> Tensor:
    """(B, B): ‖i - j‖² from the inner products (B, B) of the rows; may be below zero by rounding."""
    lengths = products.diagonal()
    return lengths.unsqueeze(1) + lengths.unsqueeze(0) - 2 * products


def distances(rows: Tensor) -> Tensor:
    """(B, B), of the rows' kind: Euclidean distances, 0 on the diagonal and at least 1e-6 elsewhere.

    Two rows that are closer than that have no gradient through their distance.
    """
    apart = squared_distances(gram(rows)).clamp(min=LEAST_SQUARE).sqrt()
    return apart.masked_fill(diagonal(apart), 0.0).to(rows.dtype)


def diagonal(table: Tensor) -> Tensor:
    """True on the diagonal of `table` (B, B)."""
    return torch.eye(len(table), dtype=torch.bool, device=table.device)


def cosine_kernel(rows: Tensor, eps: float) -> Tensor:
    """(B, B), in 0 ... 1: (1 + cosine) / 2, each row divided by its length + `eps`.

    A row of zeros has the cosine 0 with all, also with itself, and gets no gradient.
    """
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    unit = (rows / (length + eps)).masked_fill(length == 0, 0.0)
    return ((1 + unit @ unit.mT) / 2).clamp(min=0.0)


def as_probabilities(kernel: Tensor) -> Tensor:
    """`kernel` (B, B), each row divided by its sum: how likely image j is as a neighbour of image i or i itself."""
    return kernel / kernel.sum(dim=1, keepdim=True)

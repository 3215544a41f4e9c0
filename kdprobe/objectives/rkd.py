"""Relational knowledge distillation: the distances and angles among the images of a batch."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from kdprobe.objectives.relations import distances, gram, rows_of, squared_distances

_SAME = 1e-12  # squared, of the batch's mean square: images that are closer have no direction from each other


def rkd_distance(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean over j of huber(d_ij / mean d - the same of the teacher), d the Euclidean distances of the batch's images.

    huber(x) is x² / 2 up to |x| = 1 and |x| - ½ beyond. The mean of d goes over pairs of two images; the mean over j
    counts image i itself, whose distance 0 adds nothing, as the authors' code does: the mean over the batch is its
    loss. Two images closer than 1e-6 are 1e-6 apart, without gradient; if all are, every relative distance is 1.

    student_feature, teacher_feature: (B, ...) of one batch, flattened; their widths may differ. Returns (B,), ≥ 0,
    without unit; 0 where the relative distances are equal, under another scale, shift or rotation of the features, and
    for one or two images. Half precision is computed in float32. Raises InputError if the batches differ.

    Source: Park, Kim, Lu, Cho, Relational Knowledge Distillation, CVPR 2019 (RKD-D), and its released code.
    """
    student, teacher = rows_of(student_feature, teacher_feature)
    return smooth_l1_loss(_relative(student), _relative(teacher), reduction="none").mean(dim=1)


def rkd_angle(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean over j and k of huber(cos ∠jik - the same of the teacher): the angles at image i between two others.

    huber as in `rkd_distance`. j and k go over all images, also j = k and j or k = i, where both cosines are the same,
    as the authors' code does: the mean over the batch is its loss. Images closer than a millionth of the batch's
    spread have no direction from each other: the cosine is 0, without gradient (released code: a gradient of up to
    1e12).

    student_feature, teacher_feature: (B, ...) of one batch, flattened; their widths may differ. Returns (B,), ≥ 0,
    without unit; 0 where the angles are equal, under another scale, shift or rotation of the features, and for one
    or two images. Half precision is computed in float32. Time and memory grow with B³ (`memory_bytes`). Raises
    InputError if the batches differ.

    Source: as `rkd_distance` (RKD-A).
    """
    student, teacher = rows_of(student_feature, teacher_feature)
    return smooth_l1_loss(_cosines(student), _cosines(teacher), reduction="none").mean(dim=(1, 2))


def _angle_bytes(inputs: Mapping[str, Tensor], batch_size: int) -> int:
    """About the bytes of `rkd_angle` at its largest: tables (B, B, B) and rows of both networks, in float64."""
    student, teacher = (inputs[f"{who}_feature"][0].numel() for who in ("student", "teacher"))
    return 40 * batch_size**3 + batch_size * (16 * student + 8 * teacher)


rkd_angle.memory_bytes = _angle_bytes


def _relative(rows: Tensor) -> Tensor:
    """(B, B): distances divided by the mean distance of two images."""
    apart = distances(rows)
    pairs = max(len(rows) * (len(rows) - 1), 1)
    return apart / (apart.sum() / pairs).clamp(min=1e-6)


def _cosines(rows: Tensor) -> Tensor:
    """(B, B, B), of the rows' kind: at [i, j, k] the cosine of the angle at image i from image j to image k."""
    products = gram(rows)
    spread = products.detach().diagonal().mean()
    products = products / torch.where(spread > 0, spread, 1.0)  # cosines have no scale
    square = squared_distances(products)
    same = square <= _SAME
    inverse = square.masked_fill(same, 1.0).rsqrt().masked_fill(same, 0.0).to(rows.dtype)
    from_i = products - products.diagonal().unsqueeze(1)  # [i, j]: <i, j> - <i, i>
    inner = products - from_i.unsqueeze(2) - products.unsqueeze(1)
    return inner.to(rows.dtype) * (inverse.unsqueeze(2) * inverse.unsqueeze(1))

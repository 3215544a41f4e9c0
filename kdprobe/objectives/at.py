"""Attention transfer by activations, as released and as in the paper."""

import torch
from torch import Tensor

from kdprobe.objectives.feature_maps import check_cells, checked_maps, pooled_alike, unit_rows
from kdprobe.objectives.inputs import check_range


def at(student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...], p: float = 2.0) -> Tensor:
    """Summed over the layers: mean over the cells of (q_s - q_t)², q the normalised attention map.

    An attention map is the mean over the channels of |f|^p, divided by its L2 norm over the H W cells. Where
    student and teacher differ in height or width, the features are first averaged down to the smaller one.

    student_features, teacher_features: tuples of (B, C, H, W), one per layer; channels and sizes may differ.
    p: ≥ 1; a higher p counts the strongest activations only. Returns (B,), without unit, 0 where all maps are
    equal up to a factor; at most 2 / (H W) per layer. Half precision is computed in float32. A map of a single
    cell adds nothing unless it is zero in one network alone, one of zeros counts as zero. Raises InputError if the
    layers are not as many, not maps, of different batches or all of a single cell, or p is below 1.

    Source: Zagoruyko, Komodakis, Paying More Attention to Attention, ICLR 2017, in the form of the released
    code, to which β = 1000 belongs; the same in RepDistiller, mdistiller and torchdistill ("code"). It differs from
    the paper's Eq. 2, which is `at_paper`. Public code has f^p for |f|^p, the same for an even p; the released
    code pools nothing, as its maps have one size: pooling is RepDistiller's.
    """
    differences = _differences(student_features, teacher_features, p)
    return torch.stack([each.square().mean(dim=1) for each in differences]).sum(dim=0)


def at_paper(
    student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...], p: float = 2.0
) -> Tensor:
    """Summed over the layers: ‖q_s - q_t‖₂, q the normalised attention map of `at`.

    Arguments and errors as for `at`. Returns (B,), without unit, 0 where all maps are equal up to a factor; at
    most √2 per layer. The gradient does not fall as the maps come near each other; where they are equal it is 0.

    Source: Zagoruyko, Komodakis, ICLR 2017, Eq. 2, without its factor β/2. With d the value of one layer, `at` is
    d² / (H W).
    """
    differences = _differences(student_features, teacher_features, p)
    return torch.stack([torch.linalg.vector_norm(each, dim=1) for each in differences]).sum(dim=0)


def _differences(
    student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...], p: float
) -> list[Tensor]:
    """(B, H W) per layer: the student's attention map minus the teacher's."""
    check_range("p", p, 1, float("inf"))
    pairs = [pooled_alike(*pair) for pair in checked_maps(student_features, teacher_features)]
    check_cells(pairs)
    return [_attention(student, p) - _attention(teacher, p) for student, teacher in pairs]


def _attention(maps: Tensor, p: float) -> Tensor:
    return unit_rows(maps.abs().pow(p).mean(dim=1).flatten(1))

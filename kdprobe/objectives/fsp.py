"""Flow of solution procedure."""

from itertools import pairwise

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.objectives.feature_maps import checked_maps, pooled_alike


def fsp(student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...]) -> Tensor:
    """Summed over neighbouring layers: mean over the entries of (G_s - G_t)², G the flow matrix of two layers.

    G (C_1, C_2) is the mean over the cells of f_1 f_2ᵀ, f_1 and f_2 a cell's channels in the two layers of one
    network. Where the two differ in height or width, the larger one is first averaged down to the smaller; sizes of
    student and teacher need not agree.

    student_features, teacher_features: tuples of two or more (B, C, H, W), shallow to deep, each with as many
    channels in student as in teacher. Returns (B,), ≥ 0, in the fourth power of the features' unit, 0 where the flow
    matrices are equal; half precision is computed in float32. Raises InputError if there are fewer than two layers,
    numbers of layers or channels differ, or a layer is not maps or of another batch.

    Source: Yim, Joo, Bae, Kim, A Gift from Knowledge Distillation, CVPR 2017, Eq. 1 and 2, as RepDistiller has them:
    averages in pooling (the paper, from memory: maxima) and over the entries (the paper sums: its value is C_1 C_2
    times this).
    """
    pairs = checked_maps(student_features, teacher_features)
    if len(pairs) < 2:
        raise InputError(
            f"fsp compares the flow from layer to layer, so it needs at least 2 of them, got {len(pairs)}; name "
            "more in features."
        )
    for layer, (student, teacher) in enumerate(pairs):
        if student.shape[1] != teacher.shape[1]:
            raise InputError(
                f"fsp needs as many channels in the student as in the teacher, got {tuple(student.shape)} and "
                f"{tuple(teacher.shape)} at features[{layer}]; choose networks of one width, or another method."
            )
    student, teacher = (list(features) for features in zip(*pairs, strict=True))
    differences = [
        _flow(*ours) - _flow(*theirs)
        for ours, theirs in zip(pairwise(student), pairwise(teacher), strict=True)
    ]
    return torch.stack([each.square().mean(dim=(1, 2)) for each in differences]).sum(dim=0)


def _flow(first: Tensor, second: Tensor) -> Tensor:
    """(B, C_1, C_2) of maps (B, C_1, ...) and (B, C_2, ...)."""
    first, second = (maps.flatten(2) for maps in pooled_alike(first, second))
    return first @ second.mT / first.shape[2]

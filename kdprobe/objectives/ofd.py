"""The overhaul of feature distillation: margin ReLU and partial distance."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdprobe.errors import InputError
from kdprobe.objectives.conv_norm import ConvNorm, paired_layers
from kdprobe.objectives.feature_maps import pooled_alike

_SCALE = 1 / 1000  # of the released code
_RARE = 0.001  # share of values below 0 from which on the mean of those is replaced


class Overhaul(nn.Module):
    """1/1000 Σ_l 2^(l-L) Σ d², d the difference of r_l(student) from max(teacher, margin), partly left out.

    Layer l of L, from 1, is summed over channels and cells; the deepest counts fully, every shallower one half as
    much. d is 0 where the student is at or below a target that is itself at or below 0. r_l is a 1x1 convolution with
    BatchNorm to the teacher's channels, one for each layer, and learns.

    example: a first batch's `student_features` and `teacher_features`, from which the channels are read.

    forward: tuples of features before their ReLU, shallow to deep, each (B, C, H, W), or vectors (B, C) in both
    networks; teacher_norms: for each of them (2, C), mean and standard deviation of the teacher's channels, from which
    its margin is worked out (`relu_margin`). Sizes that differ are averaged down to the smaller, the teacher's after
    the margin. Returns (B,), ≥ 0, 0 where r equals max(teacher, margin) or is below it where that is not above 0; half
    precision is computed in float32. Raises InputError if the layers are not as many, of different batches, a map
    stands beside a vector, or the norms do not fit.

    Source: Heo, Kim, Yun, Park, Kwak, Choi, A Comprehensive Overhaul of Feature Distillation, ICCV 2019, section 3; the
    scale and the halving are those of the released code. There the teacher is in training mode, on purpose.
    """

    def __init__(self, example: Mapping[str, tuple[Tensor, ...]]) -> None:
        super().__init__()
        pairs = paired_layers(example["student_features"], example["teacher_features"])
        self.connectors = nn.ModuleList(ConvNorm(s.shape[1], t.shape[1]) for s, t in pairs)

    def forward(
        self,
        student_features: tuple[Tensor, ...],
        teacher_features: tuple[Tensor, ...],
        teacher_norms: tuple[Tensor, ...],
    ) -> Tensor:
        pairs = paired_layers(student_features, teacher_features)
        _check_norms(teacher_norms, [teacher for _, teacher in pairs])
        layers = []
        for connector, (student, teacher), norm in zip(self.connectors, pairs, teacher_norms, strict=True):
            lowest = relu_margin(norm[0], norm[1]).to(teacher.dtype)
            student, target = pooled_alike(student, torch.maximum(teacher, lowest[:, None, None]))
            student = connector(student)
            counts = (student > target) | (target > 0)
            layers.append((student - target).where(counts, 0.0).square().sum(dim=(1, 2, 3)))
        return _SCALE * sum(layer / 2**depth for depth, layer in enumerate(reversed(layers)))


def relu_margin(mean: Tensor, deviation: Tensor) -> Tensor:
    """E[x | x < 0] of normal x: the mean value of a channel where it is below 0.

    mean, deviation: one shape; deviation ≥ 0. Returns that shape, ≤ 0, in float32 at least: mean - deviation φ(z) /
    Φ(-z) with z = mean / deviation. Where no more than one value in a thousand is below 0 it is -3 deviation, as in
    the released code.

    Source: Heo et al. 2019, margin ReLU (the number of its equation was not checked against the text), as released:
    with the mean β and deviation |γ| of the BatchNorm before the layer.
    """
    mean, deviation = (
        values.to(torch.promote_types(values.dtype, torch.float32)) for values in (mean, deviation)
    )
    spread = deviation > 0
    z = mean / deviation.where(spread, 1.0)
    below = torch.special.ndtr(-z)
    hazard = (-0.5 * z.square() - torch.special.log_ndtr(-z)).exp() / math.sqrt(2 * math.pi)
    usual = torch.where(below > _RARE, mean - deviation * hazard, -3 * deviation)
    return torch.where(spread, usual, mean.clamp(max=0))


def _check_norms(norms: tuple[Tensor, ...], teachers: list[Tensor]) -> None:
    shapes, wanted = [tuple(norm.shape) for norm in norms], [(2, teacher.shape[1]) for teacher in teachers]
    if shapes != wanted:
        raise InputError(
            f"teacher_norms must have the shapes {wanted}, mean and deviation of each channel of teacher_features, got "
            f"{shapes}; choose layers of the teacher right after a BatchNorm."
        )

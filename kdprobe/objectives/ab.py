"""Activation boundaries: on which side of 0 the teacher's neurons are."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdprobe.errors import InputError
from kdprobe.objectives.conv_norm import ConvNorm, paired_layers
from kdprobe.objectives.feature_maps import pooled_alike
from kdprobe.objectives.inputs import is_number

_SCALE = 3 / 1000  # of the released code


class ActivationBoundary(nn.Module):
    """3/1000 Σ_l 2^(l-L) Σ h², h how far r_l(student) falls short of the margin on the teacher's side of 0.

    Layer l of L, from 1, is summed over channels and cells; the deepest counts fully, every shallower one half as
    much. h is max(m + r, 0) where the teacher's value is ≤ 0, max(m - r, 0) where it is above 0, m the margin. r_l
    is a 1x1 convolution with BatchNorm to the teacher's channels, one for each layer, and learns.

    example: a first batch's `student_features` and `teacher_features`, from which the channels are read.
    margin: > 0, in units of the connectors' output.

    forward: tuples of features before their ReLU, shallow to deep, each (B, C, H, W), or vectors (B, C) in both
    networks; sizes that differ are averaged down to the smaller, the teacher's before its sign is read. Returns (B,),
    ≥ 0, 0 where r is at least m beyond 0 on the teacher's side everywhere: also a student equal to the teacher is
    pushed to the margin. Half precision is computed in float32. Raises InputError if the layers are not as many,
    of different batches, or a map stands beside a vector.

    Source: Heo, Lee, Yun, Choi, Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden
    Neurons, AAAI 2019, in the form of the released code, where also the scale and the halving are from; that has no
    connectors where the channels agree, here they are always there.
    """

    def __init__(self, example: Mapping[str, tuple[Tensor, ...]], margin: float = 1.0) -> None:
        super().__init__()
        if not (is_number(margin) and 0 < margin < math.inf):
            raise InputError(f"The margin must be above 0, got {margin!r}; 1 is usual.")
        self.margin = margin
        pairs = paired_layers(example["student_features"], example["teacher_features"])
        self.connectors = nn.ModuleList(ConvNorm(s.shape[1], t.shape[1]) for s, t in pairs)

    def forward(self, student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...]) -> Tensor:
        pairs = paired_layers(student_features, teacher_features)
        layers = []
        for connector, pair in zip(self.connectors, pairs, strict=True):
            student, teacher = pooled_alike(*pair)
            side = torch.where(teacher > 0, 1.0, -1.0)
            short = (self.margin - side * connector(student)).clamp(min=0)
            layers.append(short.square().sum(dim=(1, 2, 3)))
        return _SCALE * sum(layer / 2**depth for depth, layer in enumerate(reversed(layers)))

"""Knowledge review: the student's deeper layers are fused into the shallower ones before they are compared."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from kdprobe.errors import InputError
from kdprobe.objectives.conv_norm import ConvNorm, paired_layers

_LEVELS = (4, 2, 1)  # sides to which maps are averaged beside their own size


class Review(nn.Module):
    """Summed over the layers: `hcl` between the teacher's and the student's, into which the deeper ones are fused.

    From deep to shallow, every layer of the student is brought to `width` channels by a 1x1 convolution with
    BatchNorm and mixed, cell by cell, with what the deeper layer passes on (enlarged by repetition), by two attention
    maps made from both (1x1 convolution, sigmoid). The mixture, at the teacher's size, is passed on, and through
    a 3x3 convolution with BatchNorm it becomes what is compared. All of these learn.

    example: a first batch's `student_features` and `teacher_features`, from which channels are read.
    width: ≥ 1: the mixtures have as many channels as the student's deepest layer, at most `width`.

    forward: tuples of features, shallow to deep, each (B, C, H, W), or vectors (B, C) in both networks, which count as
    maps of one cell: of the method, the stages before their ReLU and the pooled embedding. Sizes may differ, the
    student's are interpolated (nearest). Returns (B,), ≥ 0, in squared units of the teacher's features, 0 where
    the student's fused layers equal the teacher's; half precision is computed in float32. Raises InputError if the
    layers are not as many, of different batches, or a map stands beside a vector.

    Source: Chen, Liu, Zhao, Jia, Distilling Knowledge via Knowledge Review, CVPR 2021, section 3, in the form of the
    released code (its two outputs of a fusion, and `hcl`). That starts its convolutions Kaiming-uniform (fan in,
    gain 1), here they start as those of `ConvNorm`.
    """

    def __init__(self, example: Mapping[str, tuple[Tensor, ...]], width: int = 512) -> None:
        super().__init__()
        pairs = paired_layers(example["student_features"], example["teacher_features"])
        if isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise InputError(f"width must be a whole number from 1 on, got {width!r}.")
        deepest = len(pairs) - 1
        width = min(width, pairs[deepest][0].shape[1])
        self.fusions = nn.ModuleList(
            _Fusion(student.shape[1], width, teacher.shape[1], fuses=layer < deepest)
            for layer, (student, teacher) in enumerate(pairs)
        )

    def forward(self, student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...]) -> Tensor:
        pairs = paired_layers(student_features, teacher_features)
        passed, values = None, []
        for fusion, (student, teacher) in reversed(list(zip(self.fusions, pairs, strict=True))):
            compared, passed = fusion(student, passed, teacher.shape[2:])
            values.append(hcl(compared, teacher))
        return torch.stack(values).sum(dim=0)


class _Fusion(nn.Module):
    """One layer of the student, with what the deeper one passes on: (what is compared, what is passed on)."""

    def __init__(self, channels: int, width: int, out: int, fuses: bool) -> None:
        super().__init__()
        self.narrow = ConvNorm(channels, width)
        self.attention = nn.Conv2d(2 * width, 2, 1) if fuses else None
        self.compared = ConvNorm(width, out, 3)

    def forward(self, maps: Tensor, passed: Tensor | None, size: torch.Size) -> tuple[Tensor, Tensor]:
        mixed = self.narrow(maps)
        if self.attention is not None:
            passed = _resized(passed, mixed.shape[2:])
            share = self.attention(torch.cat([mixed, passed], dim=1)).sigmoid()
            mixed = share[:, :1] * mixed + share[:, 1:] * passed
        mixed = _resized(mixed, size)
        return self.compared(mixed), mixed


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    return maps if maps.shape[2:] == size else interpolate(maps, size, mode="nearest")


def hcl(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of (student - teacher)² at the maps' own size and averaged to 4 x 4, 2 x 2 and 1 x 1 cells.

    student, teacher: (B, C, H, W) of one shape. The sizes weigh 1, 1/2, 1/4 and 1/8 over their sum; those that are not
    below H and W are left out, and the next has their weight. Returns (B,), ≥ 0, in squared units of the maps.

    Source: Chen et al. 2021, section 3.3 (hierarchical context loss), with the released code's sizes and weights.
    """
    difference = student - teacher
    levels = [difference]  # averaging is linear
    levels += [
        adaptive_avg_pool2d(difference, level) for level in _LEVELS if level < min(difference.shape[2:])
    ]
    weights = [0.5**place for place in range(len(levels))]
    means = [level.square().mean(dim=(1, 2, 3)) for level in levels]
    return sum(weight * mean for weight, mean in zip(weights, means, strict=True)) / sum(weights)

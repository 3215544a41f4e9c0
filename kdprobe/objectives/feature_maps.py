"""What the objectives that compare feature maps share: checks, one size for two maps, rows of length 1."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from kdprobe.errors import InputError
from kdprobe.objectives.inputs import at_least_float32

_ZERO = 1e-12  # a row that is not longer has no direction


def checked_maps(
    student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...]
) -> list[tuple[Tensor, Tensor]]:
    """Layer by layer the student's and the teacher's maps, in float32 at least.

    Raises InputError unless both are as many layers, at least one, each (B, C, H, W) of one batch size.
    """
    count, other = len(student_features), len(teacher_features)
    if count != other or not count:
        raise InputError(
            f"student_features and teacher_features must be as many layers, at least one, got {count} and {other}; "
            "name as many layers of the student as of the teacher."
        )
    pairs = list(zip(student_features, teacher_features, strict=True))
    for layer, (student, teacher) in enumerate(pairs):
        for name, maps in (("student_features", student), ("teacher_features", teacher)):
            if maps.ndim != 4:
                raise InputError(
                    f"{name}[{layer}] must be maps (batch, channels, height, width), got {tuple(maps.shape)}; "
                    "choose a layer before the maps are pooled and flattened."
                )
        if len(student) != len(teacher):
            raise InputError(
                f"student_features[{layer}] and teacher_features[{layer}] must be of one batch, got "
                f"{tuple(student.shape)} and {tuple(teacher.shape)}; give both networks the same images."
            )
    return [(at_least_float32(student), at_least_float32(teacher)) for student, teacher in pairs]


def check_cells(pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Raise InputError if the maps (..., H, W) of every layer have a single cell: normalised they are all the same."""
    if all(student.shape[-2:].numel() == 1 for student, _ in pairs):
        raise InputError(
            "The maps of every layer have a single cell, so there is nothing in them to compare; choose earlier "
            "layers, or larger images."
        )


def common_size(first: Tensor, second: Tensor) -> tuple[int, int]:
    """The smaller height and the smaller width of two maps (..., H, W)."""
    (height, width), (other_height, other_width) = first.shape[-2:], second.shape[-2:]
    return min(height, other_height), min(width, other_width)


def pooled_alike(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps (B, C, H, W) averaged over blocks down to their `common_size`; a map of that size is left as it is."""
    size = common_size(first, second)
    first, second = (
        maps if maps.shape[-2:] == size else adaptive_avg_pool2d(maps, size) for maps in (first, second)
    )
    return first, second


def unit_rows(values: Tensor) -> Tensor:
    """`values` (..., n) divided by their L2 norm over n; a row of norm ≤ 1e-12 becomes zeros and gets no gradient."""
    length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    zero = length <= _ZERO
    return values * length.masked_fill(zero, 1.0).reciprocal().masked_fill(zero, 0.0)

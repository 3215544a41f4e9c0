"""Neuron selectivity transfer."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kdprobe.objectives.feature_maps import check_cells, checked_maps, common_size, pooled_alike, unit_rows


def nst(student_features: tuple[Tensor, ...], teacher_features: tuple[Tensor, ...]) -> Tensor:
    """Summed over the layers: the squared MMD between the student's and the teacher's channels, kernel (x · y)².

    Of each image, every channel is one sample: its map, divided by its L2 norm over the H W cells. MMD² = mean
    k(t, t') + mean k(s, s') - 2 mean k(s, t), over all pairs of channels, a channel with itself included. Where
    student and teacher differ in height or width, the features are first averaged down to the smaller one.

    student_features, teacher_features: tuples of (B, C, H, W), one per layer; numbers of channels and sizes may
    differ. Returns (B,), ≥ 0 up to rounding, at most 2 per layer, 0 where the second moments of the channels are
    equal (so also if channels are permuted or change sign). Half precision is computed in float32. Channels of
    zeros count as samples at 0 and get no gradient; of a map of a single cell only the shares of channels that are not
    0 are compared, without gradient. Raises InputError if the layers are not as many, not maps, of different batches or
    all of a single cell.

    For this kernel MMD² = ‖AᵀA / C_s - BᵀB / C_t‖²_F, with A (C_s, H W) and B (C_t, H W) of the samples as rows.
    Per layer the smaller matrices are made: those of the cells or the three of the channels. `memory_bytes` says
    how much they take.

    Source: Huang, Wang, Like What You Like: Knowledge Distill via Neuron Selectivity Transfer, arXiv 1707.01219,
    polynomial kernel with d = 2, c = 0, as in RepDistiller; without the paper's factor λ/2. RepDistiller makes arrays
    of C x C x H W elements for the same value.
    """
    pairs = [pooled_alike(*pair) for pair in checked_maps(student_features, teacher_features)]
    check_cells(pairs)
    samples = [tuple(unit_rows(maps.flatten(2)) for maps in pair) for pair in pairs]
    return torch.stack([_mmd(student, teacher) for student, teacher in samples]).sum(dim=0)


def memory_bytes(inputs: Mapping[str, Any], batch_size: int) -> int:
    """Bytes that `nst` holds for a batch of `batch_size`: matrices of pairs of channels or cells, normalised maps.

    inputs: student_features and teacher_features of any batch, for their shapes. About what is kept for the
    backward pass; the gradients come on top.
    """
    total = 0
    for student, teacher in zip(inputs["student_features"], inputs["teacher_features"], strict=True):
        height, width = common_size(student, teacher)
        channels, cells = (student.shape[1], teacher.shape[1]), height * width
        averaged = student.shape[1] * cells if student.shape[2:] != (height, width) else 0
        elements = sum(channels) * cells + averaged + min(_of_cells(cells), _of_channels(*channels))
        total += elements * torch.promote_types(student.dtype, torch.float32).itemsize
    return batch_size * total


nst.memory_bytes = memory_bytes


def _of_cells(cells: int) -> int:
    return 2 * cells**2


def _of_channels(student: int, teacher: int) -> int:
    return student**2 + teacher**2 + student * teacher


def _mmd(student: Tensor, teacher: Tensor) -> Tensor:
    """(B,) of samples (B, C_s, H W) and (B, C_t, H W)."""
    channels, cells = (student.shape[1], teacher.shape[1]), student.shape[2]
    if _of_cells(cells) < _of_channels(*channels):
        ours, theirs = (samples.mT @ samples / samples.shape[1] for samples in (student, teacher))
        return (ours - theirs).square().sum(dim=(1, 2))
    return _kernel(student, student) + _kernel(teacher, teacher) - 2 * _kernel(student, teacher)


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    """(B,): the mean of (x · y)² over all pairs of samples."""
    return (first @ second.mT).square().mean(dim=(1, 2))

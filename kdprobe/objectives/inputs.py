"""What every objective asks of the tensors it gets."""

import torch
from torch import Tensor

from kdprobe.errors import InputError


def at_least_float32(values: Tensor) -> Tensor:
    """float16 and bfloat16 as float32 (a square would leave their range), wider kinds unchanged."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def check_logits(name: str, logits: Tensor) -> None:
    """Raise InputError unless `logits` is (B, C)."""
    if logits.ndim != 2:
        raise InputError(f"{name} must have the shape (batch, classes), got {tuple(logits.shape)}.")


def check_labels(labels: Tensor, logits: Tensor) -> None:
    """Raise InputError unless `labels` is (B,), of integers in 0 ... C-1, for `logits` (B, C)."""
    batch, classes = logits.shape
    if labels.shape != (batch,) or labels.is_floating_point() or labels.is_complex():
        raise InputError(
            f"labels must be {batch} integers, one per row of the logits, got {labels.dtype} of shape "
            f"{tuple(labels.shape)}."
        )
    if batch and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise InputError(
            f"labels must lie in 0 ... {classes - 1}, got {int(labels.min())} ... {int(labels.max())}; "
            "the network needs one output per class."
        )


def check_same_shape(**tensors: Tensor) -> None:
    """Raise InputError unless the two named tensors are (B, ...) of one shape."""
    (first, a), (second, b) = tensors.items()
    if a.shape != b.shape or a.ndim < 2:
        raise InputError(
            f"{first} and {second} must have one shape (batch, ...), got {tuple(a.shape)} and "
            f"{tuple(b.shape)}; choose layers of equal width in student and teacher."
        )

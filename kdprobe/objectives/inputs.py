"""What every objective asks of the tensors and numbers it gets."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real

import torch
from torch import Tensor

from kdprobe.errors import InputError

_LABELS_KNOWN = ContextVar("labels_known", default=False)


@contextmanager
def labels_known() -> Iterator[None]:
    """Inside, all labels are taken to be in range: the caller has looked at them once, before a step must not wait
    for a GPU to say so."""
    token = _LABELS_KNOWN.set(True)
    try:
        yield
    finally:
        _LABELS_KNOWN.reset(token)


def at_least_float32(values: Tensor) -> Tensor:
    """float16 and bfloat16 as float32 (a square would leave their range), wider kinds unchanged."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def check_logits(name: str, logits: Tensor) -> None:
    """Raise InputError unless `logits` is (B, C)."""
    if logits.ndim != 2:
        raise InputError(f"{name} must have the shape (batch, classes), got {tuple(logits.shape)}.")


def check_labels(labels: Tensor, logits: Tensor) -> None:
    """Raise InputError unless `labels` is (B,), of integers in 0 ... C-1, for `logits` (B, C).

    The range is not looked at inside `labels_known`.
    """
    batch, classes = logits.shape
    if labels.shape != (batch,) or labels.is_floating_point() or labels.is_complex():
        raise InputError(
            f"labels must be {batch} integers, one per row of the logits, got {labels.dtype} of shape "
            f"{tuple(labels.shape)}."
        )
    if batch and not _LABELS_KNOWN.get() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
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


def check_logit_pair(**logits: Tensor) -> None:
    """Raise InputError unless the two named tensors are logits (B, C) of one shape."""
    (first, a), (second, b) = logits.items()
    check_logits(first, a)
    if a.shape != b.shape:
        raise InputError(
            f"{first} and {second} must have one shape (batch, classes), got {tuple(a.shape)} and "
            f"{tuple(b.shape)}; both networks need the same classes in the same order."
        )


def check_classes(logits: Tensor) -> None:
    """Raise InputError if there are fewer than two classes, so that none is left beside the true one."""
    if logits.shape[1] < 2:
        raise InputError(f"This objective needs at least 2 classes, got {logits.shape[1]}.")


def check_temperature(temperature: float) -> None:
    """Raise InputError unless `temperature` is a finite number above 0."""
    if not (is_number(temperature) and 0 < temperature < math.inf):
        raise InputError(f"The temperature must be above 0, got {temperature}; 4 is usual.")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise InputError unless `value` is finite and `low` ≤ `value` ≤ `high`."""
    if not (is_number(value) and math.isfinite(value) and low <= value <= high):
        raise InputError(f"{name} must be a number in {low:g} ... {high:g}, got {value!r}.")


def is_number(value: object) -> bool:
    """True for a real number that is not a truth value; False for a word such as the 1e-3 of YAML."""
    return isinstance(value, Real) and not isinstance(value, bool)

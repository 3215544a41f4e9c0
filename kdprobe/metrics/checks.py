"""What the metrics ask of their arguments; everything comes back on the CPU, entropies as float64."""

from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError

SCOPES = ("dataset", "image")
EMPTY_RULES = ("skip", "zero")


def choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """`value`, if it is one of `allowed`; else InputError."""
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")
    return value


def positive_count(name: str, value: int) -> int:
    """`value`, if it is a whole number of at least 1; else InputError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} must be a whole number of at least 1; got {value!r}.")
    return value


def margin_above_zero(margin: float) -> float:
    """`margin`, if it is finite and > 0 (nats); else InputError."""
    if not 0 < float(margin) < float("inf"):
        raise InputError(f"margin must be a finite number of nats above 0; got {margin!r} (usual: 0.2).")
    return float(margin)


def finite_entropy(entropy: Any) -> Tensor:
    """`entropy` as (..., N, g, g) float64 without NaN or infinite values; else InputError."""
    entropy = torch.as_tensor(entropy, dtype=torch.float64).detach().cpu()
    if entropy.ndim < 3:
        raise InputError(f"entropy must have the shape (..., N, g, g); got {tuple(entropy.shape)}.")
    if not torch.isfinite(entropy).all():
        images = (~torch.isfinite(entropy)).flatten(-2).any(-1).reshape(-1, entropy.shape[-3]).any(0)
        raise InputError(
            f"entropy holds NaN or infinite values in {int(images.sum())} of {len(images)} images "
            f"(first: image {int(images.nonzero()[0])}); leave out the images whose outcome is not usable."
        )
    return entropy


def bool_maps(maps: Any, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
    """`maps` as a bool tensor (..., N, g, g), of the given `shape` if any; else InputError."""
    maps = torch.as_tensor(maps).detach().cpu()
    if maps.dtype is not torch.bool:
        raise InputError(f"{name} must be a bool tensor, got {maps.dtype}; see cells_from_mask.")
    if maps.ndim < 3 or (shape is not None and tuple(maps.shape) != tuple(shape)):
        wanted = "(..., N, g, g)" if shape is None else str(tuple(shape))
        raise InputError(f"{name} must have the shape {wanted}; got {tuple(maps.shape)}.")
    return maps


def counts(values: Any, name: str, ndim: int) -> Tensor:
    """`values` as a tensor of `ndim` dimensions with finite entries ≥ 0; else InputError."""
    values = torch.as_tensor(values).detach().cpu()
    if values.ndim != ndim:
        raise InputError(f"{name} must have {ndim} dimension(s); got the shape {tuple(values.shape)}.")
    if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
        raise InputError(f"{name} must be finite numbers of concepts, 0 or more; got others.")
    return values

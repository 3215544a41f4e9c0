"""H1: baseline entropy, visual concepts and how many are task-relevant (arXiv 2003.03622)."""

from typing import Any

import torch
from torch import Tensor

from kdprobe.errors import InputError
from kdprobe.metrics.checks import (
    EMPTY_RULES,
    SCOPES,
    bool_maps,
    choice,
    counts,
    finite_entropy,
    margin_above_zero,
)
from kdprobe.metrics.image_mean import image_mean
from kdprobe.records import ImageMean


def baseline_entropy(entropy: Any, foreground: Any, scope: str = "dataset") -> Tensor:
    """H-bar in nats: the mean entropy over background cells, what the layer discards where the task is not.

    entropy: (..., N, g, g) nats; leading dimensions (epochs) are treated one by one. foreground: (N, g, g)
    bool. scope `dataset` (released code): mean over images of the image's background mean, shape (...); not
    the mean over all pooled cells. scope `image` (paper): the image's own background mean, shape (..., N).
    float64; NaN for `dataset` without any image.

    Raises InputError for NaN or infinite entropies, shapes that do not fit, and an image without a background
    cell.
    """
    choice("scope", scope, SCOPES)
    entropy = finite_entropy(entropy)
    background = ~bool_maps(foreground, "foreground", entropy.shape[-3:])
    cells = background.sum((-2, -1))
    if bool((cells == 0).any()):
        raise InputError(
            f"Image {int((cells == 0).nonzero()[0])} has no background cell, so it has no baseline entropy; "
            "leave it out, or use a finer grid or images whose foreground is smaller."
        )
    per_image = torch.where(background, entropy, 0.0).sum((-2, -1)) / cells
    return per_image if scope == "image" else per_image.mean(-1)


def concept_cells(entropy: Any, foreground: Any, margin: float = 0.2, scope: str = "dataset") -> Tensor:
    """Visual concepts: the cells with H-bar - H_i > margin, strictly.

    entropy: (..., N, g, g) nats; foreground: (N, g, g) bool; margin: b in nats, > 0. Returns (..., N, g, g)
    bool. Every leading index (epoch) has its own H-bar; see `baseline_entropy` for `scope` and errors.
    """
    margin = margin_above_zero(margin)
    entropy = finite_entropy(entropy)
    baseline = baseline_entropy(entropy, foreground, scope)
    baseline = baseline[..., None, None] if scope == "image" else baseline[..., None, None, None]
    return baseline - entropy > margin


def count_concepts(concepts: Any, foreground: Any) -> tuple[Tensor, Tensor]:
    """(N_fg, N_bg), each (..., N) int64, 0 ... g²: concept cells on the foreground and on the background.

    concepts: (..., N, g, g) bool; foreground: (N, g, g) bool. Raises InputError for other types or shapes.
    """
    concepts = bool_maps(concepts, "concepts")
    foreground = bool_maps(foreground, "foreground", concepts.shape[-3:])
    return (concepts & foreground).sum((-2, -1)), (concepts & ~foreground).sum((-2, -1))


def relevance_ratio(n_foreground: Any, n_background: Any, empty: str = "skip") -> ImageMean:
    """lambda in 0 ... 1: mean over images of N_fg / (N_fg + N_bg), the share of concepts that are task-
    relevant.

    n_foreground, n_background: (N,) counts of one epoch. An image without any concept has no ratio: `skip`
    leaves it out (NaN in `per_image`, counted in `left_out`), `zero` scores it 0 as the released code does.
    Raises InputError for negative or non-finite counts and shapes that differ.
    """
    choice("empty", empty, EMPTY_RULES)
    n_foreground = counts(n_foreground, "n_foreground", 1)
    n_background = counts(n_background, "n_background", 1)
    if n_foreground.shape != n_background.shape:
        raise InputError(
            f"n_foreground and n_background must count the same images; got {len(n_foreground)} and "
            f"{len(n_background)}."
        )
    return image_mean(n_foreground, n_foreground + n_background, empty)


def count_values(concepts: Any, foreground: Any, empty: str = "skip") -> dict[str, Tensor]:
    """n_foreground, n_background and relevance_ratio -> (..., N) float64, of every image; NaN where it has no ratio.

    concepts: (..., N, g, g) bool; foreground: (N, g, g) bool; `empty` as in `relevance_ratio`. Raises InputError for
    other types or shapes.
    """
    inside, outside = count_concepts(concepts, foreground)
    ratio = relevance_ratio(inside.flatten(), outside.flatten(), empty).per_image
    return {
        "n_foreground": inside.double(),
        "n_background": outside.double(),
        "relevance_ratio": ratio.view_as(inside),
    }

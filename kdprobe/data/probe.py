"""Choose the images on which concepts are counted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kdprobe.data.choosing import check_seed
from kdprobe.data.images import LabelledImages
from kdprobe.errors import ConfigError, DataError
from kdprobe.metrics import cells_from_mask
from kdprobe.records import Record

_AT_ONCE = 256  #: masks that are counted at a time: in float64 they take eight times the space


@dataclass(frozen=True, eq=False)
class Probe(Record):
    """Probe images: N images with foreground and background, as they stand in the data set."""

    images: Any  #: (N, C, H, W) float32 tensor, normalised
    labels: Any  #: (N,) int64 tensor
    foregrounds: Any  #: (N, H, W) bool tensor
    foreground_cells: Any  #: (N, g, g) bool tensor
    ids: tuple[str, ...]
    left_out: dict[str, int]  #: reason -> number of images that could not be chosen
    notes: tuple[
        str, ...
    ] = ()  #: what the reader must know, for example that fewer images were found than asked for


def select_probe(
    data: LabelledImages,
    count: int,
    *,
    foreground_share: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
    grid: int = 16,
    rule: str = "majority",
) -> Probe:
    """`count` images of `data`, the classes in turn, drawn by `seed`.

    An image can be chosen if the share of its pixels that is foreground lies in `foreground_share` (both ends
    included) and if it has at least one foreground and one background cell on the `grid` x `grid` entropy
    grid (`rule`: see `cells_from_mask`). The first n of a probe hold every class equally often, as far as
    there are images. A larger `count` with the same seed begins with the same images. If fewer can be chosen
    than asked for, all are taken and `notes` says so.

    Raises DataError if the data have no foreground or no image can be chosen.
    """
    check_seed(seed)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigError(f"The number of probe images must be a whole number above 0, got {count!r}.")
    fit = fit_for_probe(data, foreground_share=foreground_share, grid=grid, rule=rule)
    candidates = torch.nonzero(fit.usable).flatten()
    if len(candidates) == 0:
        raise DataError(
            f"None of the {len(data)} images of {data.name} can be a probe image "
            f"({'; '.join(f'{r}: {n}' for r, n in fit.left_out.items())}): widen `foreground_share` "
            f"(shares: {float(fit.shares.min()):.2f} to {float(fit.shares.max()):.2f}), or change `grid` or "
            "`rule`."
        )
    chosen = torch.tensor(in_turn(candidates.numpy(), data.labels[candidates].numpy(), seed)[:count])
    notes = ()
    if len(chosen) < count:
        notes = (f"{len(chosen)} probe images instead of {count}: no more images of {data.name} qualify.",)
    return Probe(
        images=data.normalised[chosen],
        labels=data.labels[chosen],
        foregrounds=data.foregrounds[chosen],
        foreground_cells=fit.cells[chosen],
        ids=tuple(data.ids[int(i)] for i in chosen),
        left_out=fit.left_out,
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class ProbeFitness:
    """Which of N images can be probe images, and why the others cannot."""

    shares: torch.Tensor  #: (N,) float64: share of the pixels that is foreground, 0 ... 1
    cells: torch.Tensor  #: (N, g, g) bool: foreground cells
    usable: torch.Tensor  #: (N,) bool
    left_out: dict[str, int]  #: reason -> number of images


def fit_for_probe(
    data: LabelledImages, *, foreground_share: tuple[float, float], grid: int, rule: str
) -> ProbeFitness:
    """Which images of `data` can be probe images; parameters and errors as in `select_probe`."""
    low, high = foreground_share
    if not 0 <= low < high <= 1:
        raise ConfigError(
            f"foreground_share must be two numbers 0 <= low < high <= 1, got ({low!r}, {high!r})."
        )
    if data.foregrounds is None:
        raise DataError(
            f"The data set {data.name} has no masks or boxes, so concepts cannot be told from background: "
            "add them, or set `foreground: central` to take the central square as foreground."
        )
    parts = data.foregrounds.split(_AT_ONCE)
    cells = torch.cat([cells_from_mask(part, grid, rule=rule) for part in parts])
    shares = torch.cat([part.flatten(1).double().mean(1) for part in parts])
    outside = (shares < low) | (shares > high)
    no_foreground = ~outside & ~cells.flatten(1).any(1)
    no_background = ~outside & cells.flatten(1).all(1)
    reasons = {
        f"foreground share outside {low:g} to {high:g}": outside,
        "no foreground cell": no_foreground,
        "no background cell": no_background,
    }
    left_out = {reason: int(hit.sum()) for reason, hit in reasons.items() if hit.any()}
    return ProbeFitness(shares, cells, ~(outside | no_foreground | no_background), left_out)


def in_turn(candidates: np.ndarray, labels: np.ndarray, seed: int) -> list[int]:
    """All `candidates`, (n,) places with their `labels`: one of each class, then a second of each, ...

    `seed` draws who comes first.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    shuffled = generator.permutation(len(candidates))
    turn = np.empty(len(candidates), dtype=np.int64)
    seen: dict[int, int] = {}
    for place in shuffled:
        turn[place] = seen.get(int(labels[place]), 0)
        seen[int(labels[place])] = turn[place] + 1
    return [int(candidates[place]) for place in shuffled[np.argsort(turn[shuffled], kind="stable")]]

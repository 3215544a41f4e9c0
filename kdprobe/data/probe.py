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
    low, high = foreground_share
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigError(f"The number of probe images must be a whole number above 0, got {count!r}.")
    if not 0 <= low < high <= 1:
        raise ConfigError(
            f"foreground_share must be two numbers 0 <= low < high <= 1, got ({low!r}, {high!r})."
        )
    if data.foregrounds is None:
        raise DataError(
            f"The data set {data.name} has no masks or boxes, so concepts cannot be told from background: "
            "add them, or set `foreground: central` to take the central square as foreground."
        )
    cells = cells_from_mask(data.foregrounds, grid, rule=rule)
    share = data.foregrounds.flatten(1).double().mean(1)
    outside = (share < low) | (share > high)
    no_foreground = ~outside & ~cells.flatten(1).any(1)
    no_background = ~outside & cells.flatten(1).all(1)
    reasons = {
        f"foreground share outside {low:g} to {high:g}": outside,
        "no foreground cell": no_foreground,
        "no background cell": no_background,
    }
    left_out = {reason: int(hit.sum()) for reason, hit in reasons.items() if hit.any()}
    candidates = torch.nonzero(~(outside | no_foreground | no_background)).flatten()
    if len(candidates) == 0:
        raise DataError(
            f"None of the {len(data)} images of {data.name} can be a probe image "
            f"({'; '.join(f'{r}: {n}' for r, n in left_out.items())}): widen `foreground_share` "
            f"(shares: {float(share.min()):.2f} to {float(share.max()):.2f}), or change `grid` or `rule`."
        )
    chosen = torch.tensor(_in_turn(candidates.numpy(), data.labels[candidates].numpy(), seed)[:count])
    notes = ()
    if len(chosen) < count:
        notes = (f"{len(chosen)} probe images instead of {count}: no more images of {data.name} qualify.",)
    return Probe(
        images=torch.stack([data[int(i)].image for i in chosen]),
        labels=data.labels[chosen],
        foregrounds=data.foregrounds[chosen],
        foreground_cells=cells[chosen],
        ids=tuple(data.ids[int(i)] for i in chosen),
        left_out=left_out,
        notes=notes,
    )


def _in_turn(candidates: np.ndarray, labels: np.ndarray, seed: int) -> list[int]:
    """All `candidates`: one of each class, then a second of each, ...; `seed` draws who comes first."""
    generator = np.random.Generator(np.random.PCG64(seed))
    shuffled = generator.permutation(len(candidates))
    turn = np.empty(len(candidates), dtype=np.int64)
    seen: dict[int, int] = {}
    for place in shuffled:
        turn[place] = seen.get(int(labels[place]), 0)
        seen[int(labels[place])] = turn[place] + 1
    return [int(candidates[place]) for place in shuffled[np.argsort(turn[shuffled], kind="stable")]]

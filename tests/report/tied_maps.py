"""Made-up maps in which cells lie exactly on the margin, for the concept explorer in a browser."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import isnan

import numpy as np
import torch
from report.explorers import explorer_of
from report.summaries import summary

from kdprobe.metrics import concept_cells, count_concepts, relevance_ratio, stability
from kdprobe.records import ExperimentSummary, ExplorerNetwork

GRID, COUNTED, SHOWN = 8, 8, 6
CLASSES = ("goldfish", "albatross")
LAYERS = ("fc1", "conv")
TIE = 0.25  #: a margin that some cells meet exactly
#: a PNG file, white
PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
METRICS = ("n_foreground", "n_background", "relevance_ratio", "stability")
COUNTS = METRICS[:2]
RULES = [
    {"scope": "dataset", "empty": "skip", "initial": False},
    {"scope": "dataset", "empty": "zero", "initial": "rho"},
    {"scope": "image", "empty": "skip", "initial": True},
    {"scope": "image", "empty": "zero", "initial": False},
]


def foreground() -> np.ndarray:
    """(COUNTED, g, g): half of every image's cells, so that means over them are exact in binary arithmetic."""
    rng = np.random.default_rng(5)
    cells = np.zeros((COUNTED, GRID * GRID), dtype=bool)
    for image in cells:
        image[rng.choice(GRID * GRID, GRID * GRID // 2, replace=False)] = True
    return cells.reshape(COUNTED, GRID, GRID)


def entropy(name: str, layer: str, epochs: int) -> np.ndarray:
    """(E, COUNTED, g, g) nats, multiples of 1/64, and so is their mean over the background: at a margin of 0.25 some
    cells are no concepts by a hair's breadth. Image 0 has none in the first half of the epochs."""
    rng = np.random.default_rng([len(name), len(layer), epochs])
    steps = np.rint(16 * rng.standard_normal((epochs, COUNTED, GRID, GRID))).astype(int) - 176
    steps -= (26 * foreground() * np.arange(epochs)[:, None, None, None]) // epochs
    steps[: epochs // 2, 0] = -176
    beside = ~foreground()
    for maps in steps:
        cells = maps[-1][beside[-1]]  # of an image that is not shown
        lacking = -maps[beside].sum() % beside.sum()
        maps[-1][beside[-1]] = cells + lacking // len(cells) + (np.arange(len(cells)) < lacking % len(cells))
    return steps / 64


def tied(students: int = 1, **rules) -> ExperimentSummary:
    """Teacher (12 epochs), baseline and students (6 epochs) at two layers; 6 of the 8 images that count are shown.
    rules: scope, empty, initial."""
    record = summary(students, maps=1)
    explorer = explorer_of(
        record.networks,
        lambda network, layer: entropy(network.name, layer, len(network.epochs)),
        foreground(),
        ids=tuple(f"photograph-{k}.jpg" for k in range(SHOWN)),
        side=40,
        rng=np.random.default_rng(0),
        layers=LAYERS,
        classes=CLASSES,
        **rules,
    )
    return replace(record, explorer=explorer)


@cache
def maps(name: str, layer: str, epochs: int) -> torch.Tensor:
    return torch.from_numpy(entropy(name, layer, epochs))


def expected(
    network: ExplorerNetwork,
    layer: str,
    epoch: int,
    margin: float,
    images: Sequence[int],
    *,
    scope: str = "dataset",
    empty: str = "skip",
    initial: bool | str = False,
) -> dict[str, float]:
    """By kdprobe.metrics: the means of METRICS over `images` after the network's `epoch`; NaN where there is none."""
    cells = torch.from_numpy(foreground())
    measured = maps(network.name, layer, len(network.epochs))
    concepts = concept_cells(measured, cells, margin, scope)[:, list(images)]
    cells = cells[list(images)]
    inside, outside = count_concepts(concepts[epoch], cells)
    first = 0 if initial else 1
    kept = stability(concepts[first : epoch + 1], cells, empty).mean if epoch >= first else float("nan")
    means = inside.double().mean().item(), outside.double().mean().item()
    return dict(zip(METRICS, (*means, relevance_ratio(inside, outside, empty).mean, kept), strict=True))


def agree(found: dict[str, float | None], wanted: dict[str, float], *, exact: Sequence[str] = ()) -> bool:
    """The same numbers, to 1e-12, those that are `exact` to the last bit; None stands for no value."""
    for metric, value in wanted.items():
        seen = found[metric]
        if seen is None or isnan(value):
            if not (seen is None and isnan(value)):
                return False
        elif abs(seen - value) > (0 if metric in exact else 1e-12):
            return False
    return True

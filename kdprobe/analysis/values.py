"""Concepts of a network's maps and of redraws of them, and the values of every image that follow from these."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import nan
from typing import Any

import torch
from torch import Tensor

from kdprobe.analysis.measurement import Measurement
from kdprobe.metrics import concept_cells, concept_values, redraw
from kdprobe.records import Record
from kdprobe.training import derive_seed

#: metrics that are compared only between networks of which the same epochs are kept
EPOCH_METRICS = ("learning_distance_mean", "learning_distance_std", "learning_distance_var", "stability")


@dataclass(frozen=True)
class CountSettings(Record):
    """How concepts are counted and how sure the counts are."""

    margin: float = 0.2  #: b, nats
    scope: str = "dataset"  #: whose background the baseline entropy is: dataset or image
    empty: str = "skip"  #: what an image without concepts does to shares: skip or zero
    initial: bool | str = False  #: whether epoch 0 enters D and rho; "rho": rho alone
    path_lag: int = (
        0  #: 1: D is looked up one kept epoch too early, as the released code does for its ResNets
    )
    spread: str = "std"  #: which spread of D decides the second hypothesis: std or var
    redraws: int = 50  #: noisy copies of the maps that enter the intervals
    resamples: int = 2000  #: of the bootstrap
    seed: int = 0

    @property
    def last_alone(self) -> "CountSettings":
        """The same for a network of which there is one epoch."""
        return replace(self, initial=False, path_lag=0)

    @property
    def rules(self) -> dict[str, Any]:
        """The options of `concept_values`."""
        return {name: getattr(self, name) for name in ("empty", "initial", "path_lag")}


@dataclass(frozen=True, eq=False)
class NetworkValues(Record):
    """Per-image values of one network's metrics and the same under redraws of the estimator's noise."""

    values: dict[str, Tensor]  #: metric -> (N,)
    noise: dict[str, Tensor]  #: metric -> (R, N)
    epochs: tuple[int, ...]  #: those that were kept, counted from the stage's start: 0 ... M


def network_values(
    name: str, measured: Measurement, foreground: Tensor, settings: CountSettings
) -> NetworkValues:
    """Values at epoch M, epochs 1 ... M entering D and rho (with `initial`, epoch 0 too).

    A network with its final weights alone has no D and rho.
    """
    first = first_counted(measured, settings)
    copies = redraws(name, measured, settings, first)
    exact, *noisy = (
        image_metrics(concepts_of(maps, foreground, settings), measured, foreground, settings)
        for maps in chain([measured.entropy[first:]], copies)
    )
    return NetworkValues(exact, stacked(noisy), own_epochs(measured))


def concepts_of(entropy: Tensor, foreground: Tensor, settings: CountSettings) -> Tensor:
    """(..., N, g, g) bool: the concepts of maps of this shape."""
    return concept_cells(entropy, foreground, settings.margin, settings.scope)


def image_metrics(
    concepts: Tensor, measured: Measurement, foreground: Tensor, settings: CountSettings
) -> dict[str, Tensor]:
    """Metric -> (N,): the values of the concepts at the epochs from `first_counted` on."""
    return without_time(concept_values(concepts, foreground, **time_rules(measured, settings)), measured)


def time_rules(measured: Measurement, settings: CountSettings) -> dict[str, Any]:
    """path, empty, initial and path_lag of `concept_values`; of one epoch alone nothing depends on the path."""
    if len(measured.epochs) > 1:
        return {"path": measured.path, **settings.rules}
    return {"path": torch.zeros(2, dtype=torch.float64), **settings.last_alone.rules}


def without_time(found: dict[str, Tensor], measured: Measurement) -> dict[str, Tensor]:
    """The metrics found, D and rho NaN where there is one epoch alone."""
    if len(measured.epochs) > 1:
        return found
    return found | {metric: torch.full_like(found[metric], nan) for metric in EPOCH_METRICS}


def stacked(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Name -> (R, ...): what R rows have under it."""
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def redraws(name: str, measured: Measurement, settings: CountSettings, first: int = 0) -> Iterator[Tensor]:
    """(E, N, g, g) nats: noisy copies of the maps from the epoch in place `first` on, one at a time.

    With noise of the maps an epoch has the same copies whatever `first`. With standard errors alone it has others.
    """
    return redraw(
        measured.entropy[first:],
        measured.std_error[first:],
        noise=None if measured.noise is None else measured.noise[first:],
        redraws=settings.redraws,
        seed=redraw_seed(name, measured, settings),
    )


def redraw_seed(name: str, measured: Measurement, settings: CountSettings) -> int:
    """One seed for all networks, whose noise came from the same random numbers; without `noise` nothing is shared."""
    own = () if measured.noise is not None else (name,)
    return derive_seed(settings.seed, "redraw", *own)


def first_counted(measured: Measurement, settings: CountSettings) -> int:
    """Place of the first epoch that enters D and rho."""
    return 0 if settings.initial or len(measured.epochs) == 1 else 1


def own_epochs(measured: Measurement) -> tuple[int, ...]:
    """Epochs that were kept, counted from the stage's start: 0 ... M."""
    return tuple(epoch - measured.epochs[0] for epoch in measured.epochs)

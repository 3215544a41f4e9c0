"""What the live probe says of one epoch."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

from kdprobe.live.pictures import Picture
from kdprobe.live.words import WORDS
from kdprobe.records import Interval, Record

_VERSION = 1


@dataclass(frozen=True)
class LiveReading(Record):
    """Concepts of the probe images at one epoch, with 95 % intervals over images and the estimator's noise.

    With few images and a small budget the intervals are wide: a curve to look at, not a result to report. Stability and
    weight path run over all observations since the first, through all stages; those of the report over the kept epochs
    of the analysed stage.
    """

    network: str
    epoch: int  #: epochs completed, counted over all stages; 0: the initial weights
    stage: int
    step: int  #: optimiser steps completed
    layer: str
    images: int  #: N probe images
    seconds: float  #: that measuring and counting took
    n_foreground: Interval  #: concept cells on the foreground, mean over images
    n_background: Interval  #: beside it
    relevance_ratio: Interval  #: lambda, 0 ... 1
    #: rho had the training ended here, 0 ... 1; NaN at epoch 0 if that does not enter
    stability_so_far: Interval
    weight_path: float  #: sum over observations of ‖w_j - w_{j-1}‖ / ‖w_0‖, w the weights below the layer
    warning: str | None  #: a sentence, if background concepts have risen while foreground concepts fell
    pictures: tuple[Picture, ...] = ()

    def line(self) -> dict[str, Any]:
        """What goes into metrics.jsonl; numbers that have no value are None there."""
        line = {"probe": _VERSION}
        for name in ("epoch", "stage", "step", "layer", "images", "seconds", "weight_path"):
            line[name] = getattr(self, name)
        for name in WORDS:
            interval = getattr(self, name)
            line[name] = {part: getattr(interval, part) for part in ("value", "low", "high", "n")}
        if self.warning is not None:
            line["warning"] = self.warning
        return line

    def logged(self, place: str = "probe") -> dict[str, float]:
        """What goes to a logger: probe/n_foreground, probe/n_foreground_low and so on, those that have a value."""
        found = {f"{place}/weight_path": self.weight_path}
        for name in WORDS:
            interval = getattr(self, name)
            found[f"{place}/{name}"] = interval.value
            found |= {f"{place}/{name}_{part}": getattr(interval, part) for part in ("low", "high")}
        return {key: value for key, value in found.items() if isfinite(value)}

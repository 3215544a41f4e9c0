"""From the maps of one epoch, and what was learned before, to numbers with intervals."""

from dataclasses import dataclass
from math import nan
from typing import Any

import torch
from torch import Tensor

from kdprobe.metrics import METRICS, bootstrap_interval, concept_cells, count_values, redraw, stability
from kdprobe.metrics.checks import EMPTY_RULES, SCOPES, choice, margin_above_zero
from kdprobe.records import EntropyResult, Interval

_RANGES = {"stability_so_far": METRICS["stability"].range}


@dataclass(frozen=True)
class CountRules:
    """How concepts are counted and how sure the counts are; as in the report. Raises InputError for other words."""

    margin: float = 0.2  #: b, nats
    scope: str = "dataset"  #: whose background the baseline entropy is: dataset or image
    empty: str = "skip"  #: what an image without concepts does to shares: skip or zero
    initial: bool = False  #: whether the initial weights, epoch 0, enter stability
    redraws: int = 25  #: noisy copies of the maps that enter the intervals
    resamples: int = 1000  #: of the bootstrap
    seed: int = 0

    def __post_init__(self) -> None:
        margin_above_zero(self.margin)
        choice("scope", self.scope, SCOPES)
        choice("empty", self.empty, EMPTY_RULES)


@dataclass(frozen=True, eq=False)
class Counted:
    """Per-image values of one epoch: row 0 as measured, rows 1 ... R in noisy copies of the maps."""

    epoch: int
    values: dict[str, Tensor]  #: metric -> (R+1, N) float64, NaN where an image has no value
    concepts: Tensor  #: (N, g, g) bool, as measured

    def intervals(self, rules: CountRules) -> dict[str, Interval]:
        """The mean over images of every metric."""
        return {
            name: bootstrap_interval(
                rows[0],
                seed=rules.seed,
                noise=rows[1:],
                limits=_RANGES[name] if name in _RANGES else METRICS[name].range,
                resamples=rules.resamples,
            )
            for name, rows in self.values.items()
        }


class Counts:
    """Counts one epoch after the other and keeps the union of all foreground concepts.

    The union is kept for every noisy copy by itself: a copy draws the same numbers at every epoch (common random
    numbers, `kdprobe.metrics.noise`), so stability so far has the noise that it would have if all maps were kept.
    Epoch 0, the initial weights, enters it only if the rules say so. An image that cannot be measured leaves the
    numbers of that epoch, and stability for good.
    """

    def __init__(self, foreground: Tensor, rules: CountRules) -> None:
        """foreground: (N, g, g) bool."""
        self.foreground, self.rules = foreground, rules
        self._unions = torch.zeros((rules.redraws + 1, *foreground.shape), dtype=torch.bool)
        self._lost = torch.zeros(len(foreground), dtype=torch.bool)

    def count(self, result: EntropyResult, epoch: int) -> Counted:
        """The numbers of `epoch` from its maps."""
        usable = torch.tensor([outcome.usable for outcome in result.outcome])
        concepts = torch.zeros_like(self._unions)
        concepts[:, usable] = self._concepts(result, usable)
        values = count_values(concepts, self.foreground, self.rules.empty)
        if epoch > 0 or self.rules.initial:
            self._lost |= ~usable
            values["stability_so_far"] = self._stability(concepts)
            values["stability_so_far"][:, self._lost] = nan
        else:
            values["stability_so_far"] = torch.full_like(values["n_foreground"], nan)
        for rows in values.values():
            rows[:, ~usable] = nan
        return Counted(epoch, values, concepts[0])

    def state_dict(self) -> dict[str, Any]:
        return {"unions": self._unions.clone(), "lost": self._lost.clone()}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        self._unions, self._lost = kept["unions"].clone(), kept["lost"].clone()

    def _concepts(self, result: EntropyResult, usable: Tensor) -> Tensor:
        """(R+1, n, g, g) bool of the n usable images."""
        # Zeros stand for the others, so that each image keeps its place and with it its random numbers.
        entropy, noise = (torch.where(each.isnan(), 0.0, each) for each in (result.entropy, result.noise))
        copies = redraw(entropy, noise=noise, redraws=self.rules.redraws, seed=self.rules.seed)
        maps = torch.stack([entropy, *copies])[:, usable]
        return concept_cells(maps, self.foreground[usable], self.rules.margin, self.rules.scope)

    def _stability(self, concepts: Tensor) -> Tensor:
        """(R+1, N); the union takes `concepts` in."""
        # |S_k| / |(S_1 ∪ ... ∪ S_k-1) ∪ S_k|: the stability of two epochs of which the first is the union so far.
        two = torch.stack([self._unions, concepts]).flatten(1, 2)
        rows = len(concepts)
        ratio = stability(two, self.foreground.repeat(rows, 1, 1), self.rules.empty).per_image
        self._unions = self._unions | (concepts & self.foreground)
        return ratio.view(rows, -1)

"""Numbers over images and seeds, and how sure they are."""

from dataclasses import dataclass
from math import nan
from typing import Any

from kdprobe.records.notebook import NotebookTable, shortened, value_cell
from kdprobe.records.numbers import interval_text
from kdprobe.records.record import Record
from kdprobe.records.signs import metric_cell


@dataclass(frozen=True, eq=False)
class ImageMean(Record):
    """A mean over images in which some images may have no value."""

    mean: float  #: over the images that have a value; NaN if there is none
    per_image: Any  #: (N,) float64 tensor, NaN where an image is left out
    left_out: int  #: number of images without a value

    def __float__(self) -> float:
        return self.mean

    def tables(self) -> list[NotebookTable]:
        counted = len(self.per_image) - self.left_out
        row = f"{self.mean:.4g}", str(counted), str(self.left_out)
        return [NotebookTable("Mean over images", ("mean", "images", "without a value"), [row])]


@dataclass(frozen=True, eq=False)
class LearningDistance(Record):
    """How far the weights had moved when each image had most foreground concepts (D_mean, D_std)."""

    mean: float  #: ≥ 0, in units of the norm of the initial weights
    std: float  #: ddof 0
    var: float  #: ddof 0; what the paper's equation for D_std says
    per_image: Any  #: (N,) float64 tensor, NaN where an image is left out
    peak_epoch: Any  #: (N,) int64 tensor, 1 ... M; 0 where an image is left out
    left_out: int  #: images without a foreground concept at any epoch

    def tables(self) -> list[NotebookTable]:
        rows = [
            (metric_cell(f"learning_distance_{name}"), f"{getattr(self, name):.4g}")
            for name in ("mean", "std", "var")
        ]
        rows.append(("images", str(len(self.per_image) - self.left_out)))
        rows.append(("without a foreground concept at any epoch", str(self.left_out)))
        return [NotebookTable("Learning distance", (), rows)]


@dataclass(frozen=True)
class Interval(Record):
    """A value with its 95 % interval over n images."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """Such as "13.6 [12.5, 15.0], n = 40"."""
        return " ".join(interval_text(self.value, self.low, self.high)) + f", n = {self.n}"

    def tables(self) -> list[NotebookTable]:
        row = value_cell(self.value, self.low, self.high), str(self.n)
        return [NotebookTable("Value with its 95 % interval", ("value", "n"), [row])]


#: where there is none
NO_VALUE = Interval(nan, nan, nan, 0)


@dataclass(frozen=True)
class NestedInterval(Interval):
    """A mean over training seeds: `low` and `high` speak of new seeds, the others of images in these seeds alone.

    With one seed they are the same and speak of images alone. n: values of all seeds together.
    """

    images_low: float
    images_high: float
    seeds: int
    images: int  #: different images: one that several seeds have counts once

    def tables(self) -> list[NotebookTable]:
        new, same = (self.low, self.high), (self.images_low, self.images_high)
        cells = [value_cell(self.value, *ends) for ends in (new, same)]
        row = (*cells, str(self.n), str(self.seeds), str(self.images))
        head = ("new seeds", "new images, these seeds", "n", "seeds", "images")
        return [NotebookTable("Mean over seeds with 95 % intervals for", head, [row])]


@dataclass(frozen=True)
class DifferenceTests(Record):
    """Tests of no difference between student and baseline, two-sided; what they test: kdprobe.metrics.significance."""

    n: int  #: values of all seeds together
    seeds: int
    p_permutation: float  #: these trained networks, over images
    p_wilcoxon: float  #: the same, by signed ranks
    p_seeds: float  #: of training: sign flips of whole seeds, never below 2^(1 - seeds); NaN for one seed
    p_nested: float  #: of training, by the nested interval's assumptions; NaN for one seed
    effect: float  #: mean paired difference over its standard deviation between images (Hedges' correction)
    superiority: float  #: share of images with the student above the baseline, ties counted half
    detectable: float  #: true difference found in 80 % of repetitions at 5 %, in the statistic's unit

    def tables(self) -> list[NotebookTable]:
        found = {
            "p, these networks, new images (permutation)": self.p_permutation,
            "p, the same by signed ranks (Wilcoxon)": self.p_wilcoxon,
            "p, new trainings (sign flips of seeds)": self.p_seeds,
            "p, new trainings (nested interval)": self.p_nested,
            "effect: difference over its standard deviation": self.effect,
            "share of images with the student above": self.superiority,
            "difference that would be found with 80 % power": self.detectable,
        }
        rows = [(words, "n/a" if number != number else f"{number:.3g}") for words, number in found.items()]
        return [NotebookTable(f"Tests of no difference, n = {self.n}, seeds: {self.seeds}", (), rows)]


@dataclass(frozen=True, eq=False)
class CountInterval(Record):
    """A count of every image with its 95 % interval."""

    value: Any  #: (N,) int64 tensor, cells
    low: Any  #: (N,) int64 tensor
    high: Any  #: (N,) int64 tensor

    def tables(self) -> list[NotebookTable]:
        rows = [
            (str(image), value_cell(*map(int, ends)))
            for image, ends in enumerate(zip(self.value, self.low, self.high, strict=True))
        ]
        rows, more = shortened(rows, "images")
        return [NotebookTable("Concept cells with their 95 % interval", ("image", "cells"), rows, more)]

"""Numbers over images and seeds, and how sure they are."""

from dataclasses import dataclass
from typing import Any

from kdprobe.records.record import Record


@dataclass(frozen=True, eq=False)
class ImageMean(Record):
    """A mean over images in which some images may have no value."""

    mean: float  #: over the images that have a value; NaN if there is none
    per_image: Any  #: (N,) float64 tensor, NaN where an image is left out
    left_out: int  #: number of images without a value

    def __float__(self) -> float:
        return self.mean


@dataclass(frozen=True, eq=False)
class LearningDistance(Record):
    """How far the weights had moved when each image had most foreground concepts (D_mean, D_std)."""

    mean: float  #: ≥ 0, in units of the norm of the initial weights
    std: float  #: ddof 0
    var: float  #: ddof 0; what the paper's equation for D_std says
    per_image: Any  #: (N,) float64 tensor, NaN where an image is left out
    peak_epoch: Any  #: (N,) int64 tensor, 1 ... M; 0 where an image is left out
    left_out: int  #: images without a foreground concept at any epoch


@dataclass(frozen=True)
class Interval(Record):
    """A value with its 95 % interval over n images."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class NestedInterval(Interval):
    """A mean over training seeds: `low` and `high` speak of new seeds, the others of images in these seeds alone.

    With one seed they are the same and speak of images alone. n: values of all seeds together.
    """

    images_low: float
    images_high: float
    seeds: int
    images: int  #: different images: one that several seeds have counts once


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


@dataclass(frozen=True, eq=False)
class CountInterval(Record):
    """A count of every image with its 95 % interval."""

    value: Any  #: (N,) int64 tensor, cells
    low: Any  #: (N,) int64 tensor
    high: Any  #: (N,) int64 tensor

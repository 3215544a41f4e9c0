"""Frozen records that are handed between the floors. They hold; they do not compute."""

from dataclasses import dataclass, field, fields
from enum import Enum
from html import escape
from typing import Any, NamedTuple


class Outcome(Enum):
    """How an estimate of one image ended. `advice` is the sentence shown to the user."""

    OK = "ok"
    DEGENERATE_FEATURE = "degenerate feature"
    NON_FINITE_INPUT = "non-finite input"
    NON_FINITE_ACTIVATION = "non-finite activation"
    TARGET_NOT_REACHED = "target entropy not reached"

    @property
    def advice(self) -> str:
        return _ADVICE[self]

    @property
    def usable(self) -> bool:
        """True if the map may enter a metric (a missed target is flagged, not dropped)."""
        return self in (Outcome.OK, Outcome.TARGET_NOT_REACHED)


_ADVICE = {
    Outcome.OK: "The estimate ended as its protocol prescribes.",
    Outcome.DEGENERATE_FEATURE: (
        "The layer does not react to noise on this image (all units dead?): look at an earlier layer, "
        "or at the value before its activation (feature_activation none)."
    ),
    Outcome.NON_FINITE_INPUT: "The image holds NaN or infinite values: mend or leave out the image.",
    Outcome.NON_FINITE_ACTIVATION: (
        "The layer returned NaN or infinite values: the training has diverged or the weights are damaged."
    ),
    Outcome.TARGET_NOT_REACHED: (
        "The mean entropy stayed short of the protocol's target; the nearest iterate is reported: "
        "more steps or a larger entropy weight would reach it."
    ),
}


class Record:
    """Gives a frozen dataclass a table in notebooks; everything in it is escaped."""

    def _repr_html_(self) -> str:
        shown = ((escape(f.name), escape(_brief(getattr(self, f.name)))) for f in fields(self))
        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td>{value}</td></tr>" for name, value in shown
        )
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


def _brief(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and len(shape) > 0:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    text = str(value)
    return text if len(text) <= 300 else text[:297] + "..."


class Sample(NamedTuple):
    """One item of a data set."""

    image: Any  #: (C, H, W) float32 tensor, normalised
    label: int  #: index into the data set's `classes`
    foreground: Any  #: (H, W) bool tensor, or None where the data set knows no foreground
    id: str  #: stable: the same image has the same id on every machine


@dataclass(frozen=True, eq=False)
class EntropyResult(Record):
    """Entropy maps of N images and how sure they are."""

    entropy: Any  #: (N, g, g) float64 tensor, nats; NaN where the outcome is not usable
    #: (N, g, g) float64 tensor, nats: standard error of each cell's entropy relative to the image's mean (which the
    #: protocol pins) from the estimator's own noise
    std_error: Any
    outcome: tuple[Outcome, ...]  #: one per image
    stats: dict[str, Any] = field(default_factory=dict)  #: protocol, solver, seed, work and diagnostics
    #: (N, R, g, g) float32 tensor, nats: R independent deviations whose squares add up to std_error². A map with fresh
    #: noise is entropy + sum_r xi_r noise_r with xi ~ N(0, 1): cells are then as correlated as they are. The same r
    #: stands for the same random numbers in every network that was measured with one seed, as far as their solvers
    #: put them to the same use (probes follow the feature).
    noise: Any = None


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


@dataclass(frozen=True, eq=False)
class CountInterval(Record):
    """A count of every image with its 95 % interval."""

    value: Any  #: (N,) int64 tensor, cells
    low: Any  #: (N,) int64 tensor
    high: Any  #: (N,) int64 tensor


@dataclass(frozen=True)
class Comparison(Record):
    """Student minus baseline in one metric, over the images valid in both."""

    student: str
    baseline: str
    metric: str
    difference: float
    low: float
    high: float
    n: int
    verdict: str  #: supported, contradicted or undecided


@dataclass(frozen=True)
class Hypothesis(Record):
    """One of the paper's three hypotheses, judged for one student against one baseline."""

    student: str
    baseline: str
    name: str  #: H1, H2 or H3
    statement: str  #: in words
    metrics: tuple[str, ...]
    verdict: str  #: supported, contradicted or undecided


@dataclass(frozen=True, eq=False)
class NetworkSummary(Record):
    """All that figures and the report say of one network."""

    name: str  #: teacher, baseline, student-kd, ...
    role: str  #: teacher, baseline or student
    recipe: str  #: the distillation method's name
    layer: str
    epochs: tuple[int, ...]  #: of the analysed stage: 0 ... M
    path: tuple[float, ...]  #: cumulative weight distance at these epochs; first entry 0
    curves: dict[str, tuple[Interval, ...]]  #: n_foreground, n_background, relevance_ratio at these epochs
    metrics: dict[str, Interval]  #: the metrics at epoch M, by their names
    left_out: dict[str, int]  #: by metric: images without a value
    accuracy: float | None  #: on the test split after the last stage, 0 ... 1
    accuracy_by_epoch: tuple[float | None, ...]  #: at `epochs`
    accuracy_note: str = ""  #: for example "classifier not trained yet"
    noise_ceiling: float | None = (
        None  #: stability that a never-changing map would show under the estimator's noise
    )
    flagged: int = 0  #: estimates that did not reach the target entropy


@dataclass(frozen=True)
class UnmeasuredNetwork(Record):
    """A network of an experiment that taught and was not measured."""

    name: str
    role: str  #: assistant (trained to teach one student), or teacher
    recipe: str  #: how it was trained
    model: str  #: name of its architecture
    accuracy: float | None  #: on the test split after its last epoch, 0 ... 1
    note: str  #: what the accuracy was measured on, or why the network was not measured


@dataclass(frozen=True, eq=False)
class ConceptMaps(Record):
    """One probe image and what networks made of it over chosen epochs."""

    image_id: str
    label: str  #: the class in words
    image: Any  #: (H, W, 3) float array in 0 ... 1
    foreground: Any  #: (H, W) bool array
    foreground_cells: Any  #: (g, g) bool array
    epochs: tuple[int, ...]  #: K chosen epochs
    entropy: dict[str, Any]  #: network name -> (K, g, g) float array, nats
    concepts: dict[str, Any]  #: network name -> (K, g, g) bool array


@dataclass(frozen=True, eq=False)
class ExperimentSummary(Record):
    """All that the report says of one experiment."""

    title: str
    networks: tuple[NetworkSummary, ...]
    comparisons: tuple[Comparison, ...]
    hypotheses: tuple[Hypothesis, ...]
    maps: tuple[ConceptMaps, ...]
    settings: dict[str, Any]  #: the resolved config and the protocol record
    provenance: dict[str, Any]  #: versions, machine, seeds, git revision, when, durations
    notes: tuple[str, ...] = ()  #: what the reader must know: images left out, flags, one seed only, ...
    counting: str = ""  #: how concepts, D and rho were counted, in words
    unmeasured: tuple[UnmeasuredNetwork, ...] = ()  #: those that taught and were not measured

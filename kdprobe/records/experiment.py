"""What was found in an experiment."""

from dataclasses import dataclass
from typing import Any

from kdprobe.records.comparisons import Comparison, Hypothesis
from kdprobe.records.metrics import Interval
from kdprobe.records.record import Record


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

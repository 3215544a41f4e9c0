"""What was found in an experiment."""

from dataclasses import dataclass
from typing import Any

from kdprobe.records.comparisons import Comparison, Hypothesis
from kdprobe.records.explorer import Explorer
from kdprobe.records.metrics import Interval
from kdprobe.records.notebook import NotebookCell, NotebookTable, grey_picture, value_cell
from kdprobe.records.numbers import percent
from kdprobe.records.record import Record, Records, in_words
from kdprobe.records.signs import metric_cell

_AFTER = "after the last analysed epoch, 95 % intervals over images"


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

    def tables(self) -> list[NotebookTable]:
        rows = [
            (metric_cell(metric), *_found(found), str(self.left_out.get(metric, 0)))
            for metric, found in self.metrics.items()
        ]
        notes = [
            f"accuracy {percent(self.accuracy)}{f' ({self.accuracy_note})' if self.accuracy_note else ''}"
        ]
        if self.epochs:
            notes.append(f"epochs {self.epochs[0]} to {self.epochs[-1]}, weight path {self.path[-1]:.3g}")
        if self.noise_ceiling is not None:
            notes.append(f"a map that never changed would show ρ = {self.noise_ceiling:.3g}")
        if self.flagged:
            notes.append(f"{self.flagged} estimates did not reach the target entropy")
        title = f"{self.name} ({self.role}, recipe {self.recipe}), layer {self.layer}: {_AFTER}"
        return [NotebookTable(title, ("metric", "value", "n", "images without one"), rows, notes)]


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

    def tables(self) -> list[NotebookTable]:
        known = [maps[maps == maps] for maps in self.entropy.values()]
        low = min((float(v.min()) for v in known if len(v)), default=0.0)
        high = max((float(v.max()) for v in known if len(v)), default=0.0)
        rows = []
        for name, maps in self.entropy.items():
            cells = []
            for cells_of, concepts in zip(maps, self.concepts[name], strict=True):
                inside = int((concepts & self.foreground_cells).sum())
                counts = f"{inside} + {int(concepts.sum()) - inside}"
                cells.append(
                    NotebookCell(counts, picture=grey_picture(cells_of, low, high), alt="entropy map")
                )
            rows.append((name, *cells))
        notes = [
            f"dark: kept ({low:.2f} nats), bright: discarded ({high:.2f} nats); "
            "below: concepts on + beside the foreground"
        ]
        head = ("network", *(f"epoch {epoch}" for epoch in self.epochs))
        return [NotebookTable(f"{self.label} ({self.image_id})", head, rows, notes)]


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
    explorer: Explorer | None = None  #: None where no maps were kept for it

    def tables(self) -> list[NotebookTable]:
        metrics = dict.fromkeys(metric for network in self.networks for metric in network.metrics)
        rows = [
            (metric_cell(metric), *(_with_count(network.metrics.get(metric)) for network in self.networks))
            for metric in metrics
        ]
        rows.append(
            (
                NotebookCell("accuracy", "share of the test images"),
                *(percent(n.accuracy) for n in self.networks),
            )
        )
        names = ("metric", *(network.name for network in self.networks))
        notes = [*([self.counting] if self.counting else []), *map(in_words, self.notes)]
        return [
            NotebookTable(f"{self.title}: {_AFTER}", names, rows),
            *Records(self.comparisons).tables(),
            *Records(self.hypotheses).tables(),
            *([NotebookTable("Notes", (), [(note,) for note in notes])] if notes else []),
        ]


def _found(found: Interval) -> tuple[NotebookCell, str]:
    return value_cell(found.value, found.low, found.high), str(found.n)


def _with_count(found: Interval | None) -> NotebookCell | str:
    if found is None:
        return "n/a"
    cell, count = _found(found)
    return cell._replace(soft=f"{cell.soft} n = {count}".strip())

"""What the report's reader may move about in: maps, and whatever turns them into counts at another margin or epoch."""

from dataclasses import dataclass
from typing import Any

from kdprobe.records.metrics import Interval
from kdprobe.records.notebook import NotebookTable
from kdprobe.records.record import Record


@dataclass(frozen=True, eq=False)
class ExplorerNetwork(Record):
    """The maps of one network at one layer, of the N images shown."""

    name: str
    role: str  #: teacher, baseline or student
    recipe: str
    epochs: tuple[int, ...]  #: the E that were measured, as counted over all stages
    path: tuple[float, ...]  #: (E,) cumulative weight distance
    accuracy: tuple[float | None, ...]  #: (E,) on the test split, 0 ... 1
    entropy: Any  #: (E, N, g, g) float64 array, nats
    #: H-bar in nats, float64: (E,) over all images that count (scope dataset), or (E, N) of each image shown
    baseline_entropy: Any
    curves: dict[str, tuple[Interval, ...]]  #: n_foreground, n_background, relevance_ratio: E each


@dataclass(frozen=True, eq=False)
class ExplorerLayer(Record):
    """One layer of several networks, measured alike."""

    layer: str
    networks: tuple[ExplorerNetwork, ...]


@dataclass(frozen=True, eq=False)
class Explorer(Record):
    """Everything that the concept explorer of the report recomputes from; all layers show the same N images."""

    margin: float  #: b in nats, where the slider starts
    scope: str  #: dataset or image
    empty: str  #: skip or zero
    initial: bool | str  #: false, true or rho
    classes: tuple[str, ...]
    counted: int  #: images that count in the experiment; the N shown are the first of them
    ids: tuple[str, ...]  #: N
    labels: tuple[int, ...]  #: N places in `classes`
    pictures: tuple[bytes, ...]  #: N PNG or JPEG files
    sizes: tuple[tuple[int, int], ...]  #: N widths and heights in pixels of these files
    foreground: Any  #: (N, g, g) bool array
    layers: tuple[ExplorerLayer, ...]  #: the experiment's own first
    notes: tuple[str, ...] = ()  #: what is not shown, and why

    def tables(self) -> list[NotebookTable]:
        rows = [
            (
                layer.layer,
                network.name,
                f"{network.epochs[0]} to {network.epochs[-1]}",
                str(network.entropy.nbytes),
            )
            for layer in self.layers
            for network in layer.networks
        ]
        notes = [f"{len(self.ids)} of {self.counted} images", *self.notes]
        return [
            NotebookTable("Concept explorer", ("layer", "network", "epochs", "bytes of maps"), rows, notes)
        ]

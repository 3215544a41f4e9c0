"""What a sweep is made of: the networks of one training seed, measured at one layer."""

from dataclasses import dataclass, replace

from torch import Tensor

from kdprobe.analysis.measurement import Measurement
from kdprobe.analysis.values import CountSettings, NetworkValues, network_values
from kdprobe.records import Record


@dataclass(frozen=True, eq=False)
class MeasuredNetwork(Record):
    """One network of a unit."""

    role: str  #: teacher, baseline or student
    recipe: str  #: the distillation method's name
    measured: Measurement  #: of the N images that count in all networks of the unit
    accuracy: float | None  #: on the test split after the last stage, 0 ... 1
    accuracy_by_epoch: tuple[float | None, ...]  #: at `measured.epochs`


@dataclass(frozen=True, eq=False)
class Unit(Record):
    """Teacher, baseline and students of one data set, architecture and seed at one layer, over the same N images."""

    data: str  #: as the sweep names it
    model: str  #: as the sweep names it
    layer: str
    seed: int
    networks: dict[str, MeasuredNetwork]  #: by name: teacher, baseline, student-kd, ...
    foreground: Tensor  #: (N, g, g) bool: foreground cells
    ids: tuple[str, ...]  #: of the images
    labels: Tensor  #: (N,) int64: index into `classes`
    classes: tuple[str, ...]  #: in words
    settings: CountSettings

    @property
    def key(self) -> tuple[str, str, str]:
        """Data set, network and layer: what seeds are pooled over."""
        return self.data, self.model, self.layer

    def only(self, images: Tensor) -> "Unit":
        """The same for the chosen images, a (N,) bool mask."""
        kept = images.tolist()
        return replace(
            self,
            networks={
                name: replace(network, measured=network.measured.only(images))
                for name, network in self.networks.items()
            },
            foreground=self.foreground[images],
            ids=tuple(each for each, stays in zip(self.ids, kept, strict=True) if stays),
            labels=self.labels[images],
        )

    def values(self, name: str) -> NetworkValues:
        """The per-image values of the network `name`, and the same under redraws of the estimator's noise."""
        return network_values(name, self.networks[name].measured, self.foreground, self.settings)

"""The experiments of a sweep, where they lie, and which of their layers are done."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.folders import filled
from kdprobe.experiment.sweep.config import SweepConfig
from kdprobe.storage import read_json, write_json

RESULTS = "layers"  #: folder, in that of an experiment, with one file for each layer that is done


def at_layer(config: ExperimentConfig, layer: str) -> ExperimentConfig:
    """`config` with which the networks are measured at `layer`."""
    return replace(config, measure=replace(config.measure, layer=layer))


@dataclass(frozen=True)
class Planned:
    """One experiment of a sweep: a data set, a network and a seed."""

    data: str
    model: str
    seed: int
    config: ExperimentConfig  #: at the first of the layers
    layers: tuple[str, ...]
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.data}, {self.model}, seed {self.seed}"

    def result(self, layer: str) -> Path:
        """The file that says that `layer` is done, and what was found."""
        return self.folder / RESULTS / f"{layer}.json"

    def done(self, layer: str) -> bool:
        """Whether `layer` was measured and compared with just these settings."""
        path = self.result(layer)
        if not path.is_file():
            return False
        try:
            known = filled(ExperimentConfig, read_json(path).get("sweep"))
        except (TypeError, ConfigError):
            return False  # of a kdprobe whose settings are not these
        return known == filled(ExperimentConfig, self._settings(layer))

    @property
    def todo(self) -> list[str]:
        """The layers that are not done."""
        return [layer for layer in self.layers if not self.done(layer)]

    def finish(self, layer: str, found: dict[str, Any]) -> None:
        """Writes what was found at `layer`; it is done then."""
        write_json(self.result(layer), {**found, "sweep": self._settings(layer)})

    def _settings(self, layer: str) -> dict[str, Any]:
        """All that decides a number at `layer`."""
        settings = asdict(at_layer(self.config, layer))
        del settings["report"], settings["data"]["root"]
        settings["measure"]["foreground_share"] = list(settings["measure"]["foreground_share"])
        return settings


def plan_sweep(sweep: SweepConfig, folder: str | Path) -> list[Planned]:
    """Every experiment of `sweep`: all of the first seed before any of the second."""
    return [
        Planned(
            data=data,
            model=model,
            seed=seed,
            config=sweep.experiment(data, model, seed),
            layers=sweep.layers_of(model),
            folder=Path(folder) / data / model / f"seed-{seed}",
        )
        for seed in sweep.seeds
        for data in sweep.data
        for model in sweep.models
    ]

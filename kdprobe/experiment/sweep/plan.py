"""The experiments of a sweep, where they lie, and which of their layers are done."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.folders import filled
from kdprobe.experiment.members import members
from kdprobe.experiment.specification import files_of
from kdprobe.experiment.sweep.config import SweepConfig
from kdprobe.networks import network_provenance
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

    def counted(self, layer: str) -> ExperimentConfig | None:
        """The config with which `layer` can be counted: finished as the sweep asks, with all or some of its students.

        None if it is not finished, the file that says so is damaged, or anything that decides a number has changed:
        settings, recipes, the layer that methods imitate, files of the user's own.
        """
        try:
            known = read_json(self.result(layer))["decided"] if self.result(layer).is_file() else None
            if known is None:
                return None
            settings = filled(ExperimentConfig, known["settings"])
            now = filled(ExperimentConfig, self.decides(layer)["settings"])
        except (SnapshotError, ConfigError, KeyError, TypeError):
            return None
        same = replace(settings, students=[]) == replace(now, students=[])
        if not same or not set(settings.students) <= set(now.students):
            return None
        config = replace(self.config, students=[s for s in now.students if s in settings.students])
        networks = self.decides(layer, config)
        return at_layer(config, layer) if known == {**networks, "settings": known["settings"]} else None

    def done(self, layer: str) -> bool:
        """Whether `layer` was measured and compared for all students, as the sweep asks."""
        config = self.counted(layer)
        return config is not None and set(config.students) == set(self.config.students)

    @property
    def todo(self) -> list[str]:
        """The layers that are not done."""
        return [layer for layer in self.layers if not self.done(layer)]

    def finish(self, layer: str, found: dict[str, Any]) -> None:
        """Writes what was found at `layer`; it is done then."""
        write_json(self.result(layer), {**found, "decided": self.decides(layer)})

    def decides(self, layer: str, config: ExperimentConfig | None = None) -> dict[str, Any]:
        """What decides the numbers at `layer`, but for what lies in the data's own folder; as JSON has it.

        `config`: one with fewer students; None: that of the experiment.
        """
        config = self.config if config is None else config
        settings = asdict(at_layer(config, layer))
        del settings["report"], settings["live"], settings["data"]["root"]
        settings["measure"]["foreground_share"] = list(settings["measure"]["foreground_share"])
        networks = {
            member.name: {
                "recipe": member.recipe.describe(),
                "model": network_provenance(*architecture(config, member.role, member.network)),
                "files": files_of(config, member),
            }
            for member in members(config, self.folder)
        }
        decided = {"settings": settings, "imitated": config.measure.layer, "networks": networks}
        return json.loads(json.dumps(decided, default=str))


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

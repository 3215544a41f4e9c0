"""Who teaches: from what a recipe says of a teacher to a network on the disk.

That is a network of the experiment (the teacher, the baseline, an assistant of the same student), the folder of a
network of another experiment, or a file of weights for the teacher's architecture.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from kdprobe.errors import ConfigError, SnapshotCorruptError, SnapshotError
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.epochs import Epochs, epochs_of
from kdprobe.experiment.members import Member
from kdprobe.experiment.setup import Material, device
from kdprobe.networks import build_network, load_weights
from kdprobe.paths import expanded
from kdprobe.storage import Snapshot, SnapshotStore, load_state, read_json
from kdprobe.storage.places import hdf5_files
from kdprobe.storage.snapshot_record import described, named_place
from kdprobe.storage.state import State
from kdprobe.training.teaching import TeachingNetwork


@dataclass(frozen=True)
class Origin:
    """A network that teaches, found. Either `folder` or `file` says where its weights are."""

    name: str  #: as the recipe calls it
    built: tuple[str, dict[str, Any]]  #: name and options of its architecture
    epochs: Epochs
    finished: bool
    folder: Path | None = None
    file: Path | None = None
    elsewhere: bool = False  #: no network of this experiment
    #: whether the weights do not say of which architecture they are: it is taken to be the teacher's
    assumed: bool = False

    def snapshot(self, epoch: int) -> Snapshot:
        """The weights after `epoch`, every byte verified. Raises SnapshotError if they are damaged or gone."""
        folder = self.folder / "snapshots"
        named = [path for path in hdf5_files(folder) if named_place(path)[0] == epoch]
        try:
            whole = [each for each in (described(path)[0] for path in named) if not each.partial]
        except SnapshotCorruptError as error:
            raise SnapshotCorruptError(f"{error} It is one of the weights that teach.") from error
        if not whole:
            raise SnapshotError(
                f"{folder} has no snapshot of epoch {epoch}, which is to teach; restore it, or remove "
                f"{self.folder} to train that network again."
            )
        return whole[0]

    def digests(self, epochs: Sequence[int]) -> list[str]:
        """sha256 of the weights after each of `epochs`."""
        if self.file is not None:
            return [hashlib.sha256(self.file.read_bytes()).hexdigest()]
        return [self.snapshot(epoch).digest for epoch in epochs]

    def weights(self, epoch: int) -> State:
        """The state dict after `epoch`. Raises SnapshotError if it is not there or damaged."""
        return SnapshotStore(self.folder / "snapshots").load(self.snapshot(epoch))

    def teaching(self, config: ExperimentConfig, material: Material) -> TeachingNetwork:
        """The network itself. Raises SnapshotError if its final weights are not there or do not fit."""
        model, (last, kept) = bare_network(config, material, self.built), self.epochs
        if self.file is not None:
            return TeachingNetwork(load_weights(model, self.file))
        load_state(model, self.weights(last), source=f"epoch {last} of {self.folder}")
        return TeachingNetwork(model, last, kept, self.weights)


def bare_network(
    config: ExperimentConfig, material: Material, built: tuple[str, dict[str, Any]]
) -> nn.Module:
    """A network of the architecture `built` (name, options) for weights that are about to be loaded."""
    name, options = built
    model = build_network(
        name,
        num_classes=len(material.train.classes),
        image_shape=material.train.image_shape,
        **{key: value for key, value in options.items() if key != "pretrained"},
    )
    return model.to(device(config))


def origin(
    config: ExperimentConfig, material: Material, member: Member, name: str, found: Sequence[Member]
) -> Origin:
    """The network that the recipe of `member` calls `name`: among `found`, the experiment's, or on the disk.

    Raises ConfigError if there is none, if it is trained after `member`, or if it tells other classes apart.
    """
    wanted = name if name in ("teacher", "baseline") else f"{member.student}.{name}"
    own = next((other for other in found if other.name == wanted), None)
    if own is not None:
        if own not in found[: found.index(member)]:
            raise ConfigError(f"{member.name} learns from {own.name}, which is trained after it; swap them.")
        built = architecture(config, own.role, own.network)
        return Origin(name, built, epochs_of(config, own), own.record() is not None, own.folder)
    path = expanded(name)
    if (path / "run.json").is_file():
        return _elsewhere(config, material, member, name, path)
    if path.is_file():
        return Origin(
            name,
            architecture(config, "teacher"),
            Epochs(0, (0,)),
            True,
            file=path,
            elsewhere=True,
            assumed=True,
        )
    what = "is not the folder of a finished network (no run.json)" if path.is_dir() else "is not there"
    raise ConfigError(
        f"{member.name}: its recipe learns from {name!r}, which {what}; name teacher, baseline, one of the recipe's "
        "networks, the folder of a finished network (networks/NAME) or a file of weights."
    )


def _elsewhere(
    config: ExperimentConfig, material: Material, member: Member, name: str, folder: Path
) -> Origin:
    """A finished network of another experiment; what its run.json says of itself decides how it is built."""
    record = read_json(folder / "run.json")
    said, data = record.get("specification") or {}, material.train
    asked = {
        "classes": list(data.classes),
        "image_shape": list(data.image_shape),
        "mean": list(data.mean),
        "std": list(data.std),
    }
    trained = said.get("data", {})
    different = [key for key in asked if key in trained and trained[key] != asked[key]]
    if different:
        raise ConfigError(
            f"{member.name}: {folder} cannot teach it, for it was trained on other data ({', '.join(different)} "
            "differ); name a network that was trained on the same classes, read the same way."
        )
    model = said.get("model")
    built = (
        (_reference(member, folder, model), model["options"]) if model else architecture(config, "teacher")
    )
    return Origin(name, built, Epochs.of_record(record), True, folder, elsewhere=True, assumed=not model)


def _reference(member: Member, folder: Path, model: dict[str, Any]) -> str:
    """The architecture's name; one's own function by the whole path of its file. Raises ConfigError if that file is no
    longer the one of which the network was built."""
    source = model.get("source")
    if not source:
        return model["name"]
    file = Path(source["path"])
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != source["sha256"]:
        raise ConfigError(
            f"{member.name}: {folder} cannot teach it, for its network was built by {file}, which has changed since or "
            "is gone; restore that file, or train the teacher again."
        )
    return f"{file}:{model['name'].rpartition(':')[2]}"

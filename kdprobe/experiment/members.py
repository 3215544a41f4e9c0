"""The networks of an experiment, each in its folder: trained once, found again afterwards."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from kdprobe.analysis import analysed_snapshots
from kdprobe.errors import ConfigError, SnapshotCorruptError, SnapshotError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.setup import Material, build_empty
from kdprobe.recipes import Network, Recipe, load_recipe
from kdprobe.storage import Snapshot, SnapshotStore, load_state, read_json
from kdprobe.training import TrainingSettings


@dataclass(frozen=True)
class Member:
    """One network of an experiment and where it lives."""

    name: str
    role: str  #: teacher, baseline, student or assistant (trained to teach a student)
    recipe: Recipe
    folder: Path
    network: Network | None = None  #: of an assistant: what its student's recipe says of it

    @property
    def student(self) -> str:
        """The name of the student whose recipe it is part of."""
        return self.name if self.network is None else self.name.removesuffix(f".{self.network.name}")

    @property
    def run_file(self) -> Path:
        return self.folder / "run.json"

    @property
    def store(self) -> SnapshotStore:
        return SnapshotStore(self.folder / "snapshots")

    def record(self) -> dict[str, Any] | None:
        """What run.json says if the training is finished, else None. Raises SnapshotCorruptError if it is damaged."""
        if not self.run_file.exists():
            return None
        record = read_json(self.run_file)
        missing = [key for key in ("specification", "stages", "accuracy", "provenance") if key not in record]
        if missing:
            raise SnapshotCorruptError(
                f"{self.run_file} is damaged (no {', '.join(missing)}): restore it, or remove it to train again."
            )
        return record


def members(config: ExperimentConfig, folder: Path) -> list[Member]:
    """Teacher, baseline and students, each after its assistants: in the order in which they are trained."""
    networks = Path(folder) / "networks"
    labels = load_recipe("baseline")
    found = [
        Member("teacher", "teacher", labels, networks / "teacher"),
        Member("baseline", "baseline", labels, networks / "baseline"),
    ]
    for student in config.students:
        recipe = load_recipe(student)
        name = f"student-{recipe.name}"
        own = [assistant(name, recipe, network, networks) for network in recipe.networks]
        own.append(Member(name, "student", recipe, networks / name))
        if {member.name for member in found} & {member.name for member in own}:
            raise ConfigError(f"Two students are called {recipe.name!r}; give each recipe a name of its own.")
        found += own
    return found


def assistant(student: str, recipe: Recipe, network: Network, networks: Path) -> Member:
    """The network that `recipe` has trained before `student`; it lies in a folder of its own, whoever else has such."""
    name = f"{student}.{network.name}"
    last = len(network.stages) - 1
    stages = tuple(replace(stage, analysed=k == last) for k, stage in enumerate(network.stages))
    if network.inputs == "foreground":
        stages = tuple(replace(stage, student_inputs="foreground") for stage in stages)
    own = Recipe(f"{recipe.name}.{network.name}", f"{network.name} ({recipe.title})", recipe.paper, stages)
    return Member(name, "assistant", own, networks / name, network)


def member_settings(config: ExperimentConfig, member: Member) -> TrainingSettings:
    """The settings of the config; teacher and students may have a learning rate of theirs, the teacher has epochs."""
    training, own = config.training, {"student_learning_rate": None}
    if member.role == "teacher":
        own["epochs"] = config.teacher.epochs
        if config.teacher.learning_rate is not None:
            own["learning_rate"] = config.teacher.learning_rate
    if member.role == "student" and training.student_learning_rate is not None:
        own["learning_rate"] = training.student_learning_rate
    return replace(training, **own)


def analysed_stage(member: Member) -> list[Snapshot]:
    """The kept snapshots of the analysed stage, its starting weights first.

    Raises ConfigError if the network is not finished, SnapshotError if a snapshot that was written is damaged or gone.
    """
    record = member.record()
    if record is None:
        raise ConfigError(f"{member.folder} holds no finished network; run the experiment first.")
    stage = next(stage for stage in record["stages"] if stage["analysed"])
    first = max(stage["first_epoch"] - 1, 0)
    return analysed_snapshots(
        member.store, first, stage["last_epoch"], without=frozenset(record.get("epochs_not_kept", ()))
    )


def last_snapshot(member: Member) -> Snapshot:
    """The final weights of a finished network. Raises SnapshotError if they are missing or damaged."""
    record, found = member.record(), member.store.list()
    last = max(stage["last_epoch"] for stage in record["stages"])
    if not found or found[-1].epoch != last:
        raise SnapshotError(
            f"{member.folder} has no valid snapshot of its last epoch {last}; remove that folder to train it again."
        )
    return found[-1]


def load_final(config: ExperimentConfig, material: Material, member: Member) -> nn.Module:
    """The network with its final weights."""
    snapshot = last_snapshot(member)
    model = build_empty(config, material, member.role, member.network)
    load_state(model, member.store.load(snapshot), source=str(snapshot.path))
    return model

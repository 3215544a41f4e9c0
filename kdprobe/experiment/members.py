"""The networks of an experiment, each in its folder: trained once, found again afterwards."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from kdprobe.errors import ConfigError, SnapshotCorruptError, SnapshotError
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.provenance import provenance
from kdprobe.experiment.setup import Material, build
from kdprobe.networks import network_provenance
from kdprobe.recipes import Recipe, load_recipe
from kdprobe.storage import Snapshot, SnapshotStore, load_state, read_json, write_json
from kdprobe.training import evaluate_accuracy, train_network

SCHEMA = 1


@dataclass(frozen=True)
class Member:
    """One network of an experiment and where it lives."""

    name: str
    role: str  #: teacher, baseline or student
    recipe: Recipe
    folder: Path

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
    """Teacher, baseline and students, in the order in which they are trained."""
    networks = Path(folder) / "networks"
    labels = load_recipe("baseline")
    found = [
        Member("teacher", "teacher", labels, networks / "teacher"),
        Member("baseline", "baseline", labels, networks / "baseline"),
    ]
    for student in config.students:
        recipe = load_recipe(student)
        name = f"student-{recipe.name}"
        if any(member.name == name for member in found):
            raise ConfigError(f"Two students are called {recipe.name!r}; give each recipe a name of its own.")
        found.append(Member(name, "student", recipe, networks / name))
    return found


def specification(
    config: ExperimentConfig, material: Material, member: Member, teacher: str | None
) -> dict[str, Any]:
    """All that decides a network's weights; a finished network is used again only while this stays the same."""
    settings = config.training
    if member.role == "teacher":
        settings = replace(settings, epochs=config.teacher.epochs)
    content = {
        "recipe": member.recipe.describe(),
        "model": network_provenance(config.model, config.model_options),
        "num_classes": len(material.train.classes),
        "image_shape": list(material.train.image_shape),
        "data": material.train.describe(),
        "images_sha256": material.content,
        "training": asdict(settings),
        "seed": config.seed,
        "layer": config.measure.layer if _uses_layer(member.recipe) else None,
        "weights": _weights(config) if member.role == "teacher" else None,
        "teacher_sha256": teacher if member.recipe.teacher else None,
    }
    return json.loads(json.dumps(content))


def _weights(config: ExperimentConfig) -> dict[str, str] | None:
    if config.teacher.weights is None:
        return None
    path = Path(config.teacher.weights).expanduser()
    if not path.is_file():
        raise SnapshotError(
            f"No weight file {path} (teacher.weights); give the path of a .pt or .safetensors file."
        )
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _uses_layer(recipe: Recipe) -> bool:
    return any(stage.tap == "{layer}" for stage in recipe.stages)


def is_finished(member: Member, wanted: dict[str, Any]) -> bool:
    """Whether `member` is trained as `wanted`. Raises ConfigError if it was trained otherwise."""
    record = member.record()
    if record is None:
        return False
    trained = record["specification"]
    different = sorted(key for key in {*wanted, *trained} if wanted.get(key) != trained.get(key))
    if different:
        raise ConfigError(
            f"{member.folder} holds a network that was trained with other settings ({', '.join(different)} differ); "
            "choose another --out, or remove that folder to train it again."
        )
    return True


def check_members(config: ExperimentConfig, material: Material, found: Sequence[Member]) -> None:
    """Raises ConfigError if a finished network was trained otherwise than `config` says, before anything is changed."""
    teacher = found[0]
    identity = last_snapshot(teacher).digest if teacher.record() is not None else None
    for member in found:
        record = member.record()
        if record is not None:
            known = identity or record["specification"]["teacher_sha256"]
            is_finished(member, specification(config, material, member, known))


def train_member(
    config: ExperimentConfig,
    material: Material,
    member: Member,
    wanted: dict[str, Any],
    teacher: nn.Module | None,
    *,
    show_progress: bool,
) -> None:
    """Trains `member` from the beginning and writes run.json last: what has no run.json is not finished."""
    shutil.rmtree(member.store.folder, ignore_errors=True)
    (member.folder / "metrics.jsonl").unlink(missing_ok=True)
    model = build(config, material, member.role)
    settings = config.training
    if member.role == "teacher":
        settings = replace(settings, epochs=config.teacher.epochs)
    if member.role == "teacher" and config.teacher.weights is not None:
        member.store.save(model, epoch=0, step=0)
        accuracy = evaluate_accuracy(model, material.test)
        outcome = {
            "accuracy": accuracy,
            "accuracy_by_epoch": {"0": accuracy},
            "loss_by_epoch": {},
            "seconds": 0.0,
            "steps": 0,
            "stages": [
                {"index": 0, "name": "loaded", "first_epoch": 0, "last_epoch": 0}
                | {"classifier_trained": True, "analysed": True}
            ],
        }
    else:
        result = train_network(
            model,
            member.recipe,
            material.train,
            material.test,
            settings=settings,
            layer=config.measure.layer,
            store=member.store,
            teacher=teacher if member.recipe.teacher else None,
            seed=config.seed,
            log_path=member.folder / "metrics.jsonl",
            show_progress=show_progress,
        )
        outcome = {
            "accuracy": result.accuracy,
            "accuracy_by_epoch": {str(k): v for k, v in result.accuracy_by_epoch.items()},
            "loss_by_epoch": {str(k): v for k, v in result.loss_by_epoch.items()},
            "seconds": result.seconds,
            "steps": result.steps,
            "stages": [stage._asdict() for stage in result.stages],
        }
    write_json(
        member.run_file,
        {
            "schema": SCHEMA,
            "name": member.name,
            "role": member.role,
            "specification": wanted,
            "provenance": provenance(),
            **outcome,
        },
    )


def analysed_epochs(member: Member) -> tuple[int, int]:
    """First and last epoch of the analysed stage, the first being that of its starting weights."""
    record = member.record()
    if record is None:
        raise ConfigError(f"{member.folder} holds no finished network; run the experiment first.")
    stage = next(stage for stage in record["stages"] if stage["analysed"])
    return max(stage["first_epoch"] - 1, 0), stage["last_epoch"]


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
    model = build(replace(config, teacher=replace(config.teacher, weights=None)), material, member.role)
    load_state(model, member.store.load(snapshot), source=str(snapshot.path))
    return model

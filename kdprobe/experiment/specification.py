"""What decides a network's weights, and whether a network on the disk was trained so."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment.beginning import check_beginning
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member, last_snapshot
from kdprobe.experiment.setup import Material, build, device, model_options
from kdprobe.external import is_reference
from kdprobe.external import provenance as file_provenance
from kdprobe.networks import network_provenance
from kdprobe.paths import expanded
from kdprobe.training import Resume, TrainingSettings

#: what maps and metrics rest on beside the snapshots; the layer may be another one than the one distilled
_MEASURED = ("recipe", "model", "num_classes", "image_shape", "data", "images_sha256", "files")


def specification(
    config: ExperimentConfig, material: Material, member: Member, teacher: str | None
) -> dict[str, Any]:
    """All that decides a network's weights; a finished network is used again only while this stays the same."""
    content = {
        "recipe": member.recipe.describe(),
        "model": network_provenance(config.model, model_options(config, member.role)),
        "num_classes": len(material.train.classes),
        "image_shape": list(material.train.image_shape),
        "data": material.train.describe(),
        "images_sha256": material.content,
        "training": _training(member_settings(config, member)),
        "seed": config.seed,
        "layer": config.measure.layer if _uses_layer(member) else None,
        "weights": _weights(config) if member.role == "teacher" else None,
        "teacher_sha256": teacher if member.recipe.teacher else None,
    }
    if config.training.path_length:
        content["path_length"] = [config.measure.weights, config.measure.layer]
    files = _files(config, member)
    return json.loads(json.dumps(content | ({"files": files} if files else {})))


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


def resume_of(config: ExperimentConfig, member: Member, wanted: dict[str, Any]) -> Resume:
    """The resume points of a network that is to be trained as `wanted`."""
    return Resume(member.folder, {**wanted, "device": device(config).type})


def is_finished(member: Member, wanted: dict[str, Any]) -> bool:
    """Whether `member` is trained as `wanted`. Raises ConfigError if it was trained otherwise."""
    record = member.record()
    if record is None:
        return False
    different = _different(wanted, record["specification"])
    if different:
        raise ConfigError(
            f"{member.folder} holds a network that was trained with other settings ({', '.join(different)} differ); "
            "choose another --out, or remove that folder to train it again."
        )
    return True


def check_members(config: ExperimentConfig, material: Material, found: Sequence[Member]) -> None:
    """Raises ConfigError, before anything is changed, if a network was trained or begun otherwise than asked.

    Raises SnapshotError if snapshots of another training lie where one is to begin.
    """
    teacher = found[0]
    identity = last_snapshot(teacher).digest if teacher.record() is not None else None
    for member in found:
        record = member.record()
        if record is not None and member.recipe.teacher and identity is None:
            raise ConfigError(
                f"{teacher.folder} holds no finished network, but the one that it taught, {member.folder}, is "
                "finished; restore the teacher, or remove all that it taught to train them again."
            )
        wanted = specification(config, material, member, identity)
        if not is_finished(member, wanted):
            resume = resume_of(config, member, wanted)
            resume.check()
            if not resume.store.files() and member.store.folder.exists():
                check_beginning(member, build(config, material, member.role))


def check_measurable(config: ExperimentConfig, material: Material, member: Member) -> None:
    """Raises ConfigError if a finished network was trained on other data or as another network than `config` says."""
    trained = (member.record() or {}).get("specification")
    if not trained:  # trained by the user's own code: nothing is known
        return
    wanted = specification(config, material, member, None)
    different = [key for key in _different(wanted, trained) if key in _MEASURED]
    if different:
        raise ConfigError(
            f"{member.folder} was trained with other settings than asked for now ({', '.join(different)} differ); "
            "leave out these options, or use the config.yaml that was written with it."
        )


def _different(wanted: dict[str, Any], trained: dict[str, Any]) -> list[str]:
    return sorted(key for key in {*wanted, *trained} if wanted.get(key) != trained.get(key))


def _training(settings: TrainingSettings) -> dict[str, Any]:
    """The settings that decide weights, or which of them are kept; those of newer versions only where they are used."""
    values = asdict(settings)
    for name in ("on_error", "path_length", "student_learning_rate"):
        del values[name]
    if values["snapshots"] == 1:
        del values["snapshots"]
    return values


def _uses_layer(member: Member) -> bool:
    return any(stage.tap == "{layer}" for stage in member.recipe.stages)


def _weights(config: ExperimentConfig) -> dict[str, str] | None:
    if config.teacher.weights is None:
        return None
    path = expanded(config.teacher.weights)
    if not path.is_file():
        raise SnapshotError(
            f"No weight file {path} (teacher.weights); give the path of a .pt or .safetensors file."
        )
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _files(config: ExperimentConfig, member: Member) -> dict[str, str]:
    """sha256 of the user's own files that objectives and data come from, so that a change is noticed."""
    names = [term.objective for stage in member.recipe.stages for term in stage.objective]
    return {
        name: file_provenance(name)["sha256"] for name in [config.data.name, *names] if is_reference(name)
    }

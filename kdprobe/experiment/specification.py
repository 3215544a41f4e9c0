"""What decides a network's weights, and whether a network on the disk was trained so."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.beginning import check_beginning
from kdprobe.experiment.checks import check_member, check_taught
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member, member_settings
from kdprobe.experiment.setup import Material, build, device
from kdprobe.experiment.teachers import teacher_digests, teachers_of
from kdprobe.external import is_reference
from kdprobe.external import provenance as file_provenance
from kdprobe.networks import network_provenance
from kdprobe.paths import expanded
from kdprobe.recipes import LAYER, Stage
from kdprobe.training import Resume, TrainingSettings

#: what maps and metrics rest on beside the snapshots; the layer may be another one than the one distilled
_MEASURED = ("recipe", "model", "num_classes", "image_shape", "data", "images_sha256", "files")


def specification(
    config: ExperimentConfig, material: Material, member: Member, teacher: str | dict[str, Any] | None
) -> dict[str, Any]:
    """All that decides a network's weights; a finished network is used again only while this stays the same.

    `teacher`: the digests of all that teaches it, as `teacher_digests` gives them.
    """
    content = {
        "recipe": member.recipe.describe(),
        "model": network_provenance(*architecture(config, member.role, member.network)),
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
    if member.network is not None:
        content["initial"] = member.network.initial
    peers = _peers(config, member)
    if peers:
        content["peers"] = peers
    files = files_of(config, member)
    return json.loads(json.dumps(content | ({"files": files} if files else {})))


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


def check_members(config: ExperimentConfig, material: Material, found: Sequence[Member]) -> list[str]:
    """What a user should be told of the networks that are to be trained.

    Raises ConfigError, before anything is changed, if a network was trained or begun otherwise than asked.
    Raises SnapshotError if snapshots of another training lie where one is to begin.
    """
    notes: list[str] = []
    for member in found:
        check_member(config, material, member)
        teachers = teachers_of(config, material, member, found)
        notes += check_taught(config, material, member, teachers)
        wanted = specification(config, material, member, teacher_digests(teachers, found))
        if not is_finished(member, wanted):
            resume = resume_of(config, member, wanted)
            resume.check()
            if not resume.store.files() and member.store.folder.exists():
                check_beginning(member, build(config, material, member.role, member.network))
    return notes


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


def _peers(config: ExperimentConfig, member: Member) -> dict[str, Any]:
    """How the networks that are trained together with `member` are built, by stage and name."""
    return {
        stage.name: {
            peer.name: network_provenance(*architecture(config, "student", peer)) for peer in stage.peers
        }
        for stage in member.recipe.stages
        if stage.peers
    }


def _uses_layer(member: Member) -> bool:
    return any(LAYER in (*stage.student_layers, *_of_teacher(stage)) for stage in member.recipe.stages)


def _of_teacher(stage: Stage) -> tuple[str, ...]:
    return () if stage.features is None else stage.features.teacher


def _weights(config: ExperimentConfig) -> dict[str, str] | None:
    if config.teacher.weights is None:
        return None
    path = expanded(config.teacher.weights)
    if not path.is_file():
        raise SnapshotError(
            f"No weight file {path} (teacher.weights); give the path of a .pt or .safetensors file."
        )
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def files_of(config: ExperimentConfig, member: Member) -> dict[str, str]:
    """sha256 of the user's own files that objectives and data come from, so that a change is noticed."""
    names = [term.objective for stage in member.recipe.stages for term in stage.objective]
    return {
        name: file_provenance(name)["sha256"] for name in [config.data.name, *names] if is_reference(name)
    }

"""Trains one network of an experiment in its folder, on from where an earlier run was stopped."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from kdprobe.analysis import PATH_FILE
from kdprobe.errors import SnapshotError
from kdprobe.experiment.beginning import begin_anew
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.live import LiveView
from kdprobe.experiment.members import Member, member_settings
from kdprobe.experiment.provenance import provenance
from kdprobe.experiment.setup import Material, build, followed_weights
from kdprobe.experiment.specification import resume_of
from kdprobe.experiment.teachers import Teaches, teaching_networks
from kdprobe.networks import PartialWeights
from kdprobe.storage import write_json
from kdprobe.training import evaluate_accuracy, train_network

SCHEMA = 1


def train_member(
    config: ExperimentConfig,
    material: Material,
    member: Member,
    wanted: dict[str, Any],
    teachers: Sequence[Teaches],
    live: LiveView,
    *,
    show_progress: bool,
) -> None:
    """Trains `member` as `wanted` and writes run.json last: what has no run.json is not finished. `live` looks on.

    Goes on after the last epoch that an interrupted training noted; if nothing was noted, begins anew.

    Raises SnapshotError if notes or snapshots of an interrupted training are damaged, if others lie in their place, or
    if the last weights could not be written: then run.json is not written either, and the notes stay.
    """
    model = build(config, material, member.role, member.network)
    resume = resume_of(config, member, wanted)
    if resume.point(member.store) is None:
        begin_anew(member, model)
    if member.role == "teacher" and config.teacher.weights is not None:
        outcome = _loaded(model, material, member)
    else:
        result = train_network(
            model,
            member.recipe,
            material.train,
            material.test,
            settings=member_settings(config, member),
            layer=config.measure.layer,
            store=member.store,
            teachers=teaching_networks(config, material, teachers),
            peers=_peers(config, material, member),
            seed=config.seed,
            log_path=member.folder / "metrics.jsonl",
            path_length=_followed(config, material, model),
            path_log=member.folder / PATH_FILE,
            live=live.of(member, model),
            show_progress=show_progress,
            resume=resume,
        )
        last = max(stage.last_epoch for stage in result.stages)
        if last in result.epochs_not_kept:
            raise SnapshotError(
                f"The weights of {member.name} after its last epoch {last} could not be written to "
                f"{member.store.folder}; free the disk, then run again: no epoch that was noted is trained again."
            )
        outcome = {
            "accuracy": result.accuracy,
            "accuracy_by_epoch": {str(k): v for k, v in result.accuracy_by_epoch.items()},
            "loss_by_epoch": {str(k): v for k, v in result.loss_by_epoch.items()},
            "seconds": result.seconds,
            "steps": result.steps,
            "stages": [stage._asdict() for stage in result.stages],
            "epochs_not_kept": list(result.epochs_not_kept),
            "failed_snapshots": result.failed_snapshots,
            "failed_notes": result.failed_notes,
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
            **_started_from(model),
            **_taught(teachers),
        },
    )
    resume.discard()


def _started_from(model: nn.Module) -> dict[str, str]:
    """In words, which pretrained weights the network had at first, if any."""
    taken = getattr(model, "pretrained", None)
    return {} if not isinstance(taken, PartialWeights) else {"started_from": taken.sentence()}


def _taught(teachers: Sequence[Teaches]) -> dict[str, list[str]]:
    """In words, at which of their epochs networks taught, where that had to be found."""
    said = [each.route.sentence for each in teachers if each.route.sentence]
    return {"taught": said} if said else {}


def _peers(config: ExperimentConfig, material: Material, member: Member) -> dict[str, nn.Module]:
    """The networks that are trained together with `member`, before that."""
    named = [peer for stage in member.recipe.stages for peer in stage.peers]
    return {peer.name: build(config, material, member.role, peer) for peer in named}


def _followed(config: ExperimentConfig, material: Material, model: nn.Module) -> tuple[str, ...]:
    """The weights whose way is written down step by step: those of the learning distance, if any."""
    if not config.training.path_length:
        return ()
    return followed_weights(config, model, material.probe)


def _loaded(model: nn.Module, material: Material, member: Member) -> dict[str, Any]:
    """The outcome of a teacher whose weights come from a file."""
    member.store.save(model, epoch=0, step=0)
    accuracy = evaluate_accuracy(model, material.test)
    return {
        "accuracy": accuracy,
        "accuracy_by_epoch": {"0": accuracy},
        "loss_by_epoch": {},
        "seconds": 0.0,
        "steps": 0,
        "stages": [
            {"index": 0, "name": "loaded", "first_epoch": 0, "last_epoch": 0}
            | {"classifier_trained": True, "analysed": True}
        ],
        "epochs_not_kept": [],
        "failed_snapshots": 0,
        "failed_notes": 0,
    }

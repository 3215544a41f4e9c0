"""Every term of a recipe tried out on a few images: what cannot be computed is said before anything is trained."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.errors import ConfigError, KdprobeError, LayerError
from kdprobe.estimator.taps import untouched
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member
from kdprobe.experiment.memory import memory_note
from kdprobe.experiment.setup import Material, device
from kdprobe.experiment.sources import bare_network
from kdprobe.experiment.teachers import Teaches
from kdprobe.external import users_code
from kdprobe.objectives import find_objective, is_connector
from kdprobe.recipes import LAYER, Stage, Term
from kdprobe.training.checks import check_values
from kdprobe.training.layers import STUDENT, StageLayers, stage_layers
from kdprobe.training.norms import batch_statistics, norms_of
from kdprobe.training.reading import Reading

_IMAGES = 8  #: at most; enough for losses that compare the images of a batch
#: inputs for which the network itself must be run; for others random logits do
_LOOKED_AT = ("feature", "features", "input_gradient", "norms")


def try_terms(
    config: ExperimentConfig, material: Material, member: Member, teachers: Sequence[Teaches]
) -> list[str]:
    """Computes each term of the stages of `member` once, for a few training images; returns what a user should be told:
    how layers of networks with different numbers of stages are compared, and what memory terms hold.

    Raises ConfigError if a term fails or does not give one value per image, or if a teacher does not have a layer that
    is to be imitated. Networks are built, untrained, only for stages that look inside; elsewhere random logits do.
    """
    notes: list[str | None] = []
    with torch.random.fork_rng(devices=[device(config)] if device(config).type == "cuda" else []):
        for stage in member.recipe.stages:
            given, note = trial_inputs(config, material, member, stage, teachers)
            notes.append(note)
            for term in stage.objective:
                notes.append(_try(config, member, stage, term, given, teachers))
    return list(dict.fromkeys(note for note in notes if note is not None))


def trial_inputs(
    config: ExperimentConfig,
    material: Material,
    member: Member,
    stage: Stage,
    teachers: Sequence[Teaches],
) -> tuple[dict[str, Any], str | None]:
    """All that an objective may take, for one batch; and what a user should be told of the layers."""
    data, where = material.train, device(config)
    rows = torch.linspace(0, len(data) - 1, min(_IMAGES, config.training.batch_size, len(data))).long()
    generator = torch.Generator().manual_seed(0)

    def logits() -> Tensor:
        return torch.randn(len(rows), len(data.classes), generator=generator).to(where)

    given = {
        "student_logits": logits().requires_grad_(),
        **{f"{who}_logits": logits() for who in ("teacher", "partner", "view", "ensemble")},
        "labels": data.labels[rows].to(where),
        "train_labels": data.labels.to(where),
        "indices": rows.to(where),
        "generator": generator,
    }
    if not any(name.partition("_")[2] in _LOOKED_AT for name in stage.inputs):
        return given, None
    learners, teaching = _networks(config, material, member, stage, teachers)
    images = data.normalised[rows].to(where)
    try:
        layers = stage_layers(stage, config.measure.layer, learners, teaching, images[:2])
    except KdprobeError as error:
        raise ConfigError(f"{member.name}: {error}") from error
    student = Reading("student", layers.tap.get(STUDENT), layers.features.get(STUDENT, ()))
    with untouched(learners[STUDENT]), torch.enable_grad():
        inputs = images.clone().requires_grad_()
        given |= student.whole(learners[STUDENT], inputs, stage.inputs, given["labels"])
    for network in teaching.values():
        given |= _taught(config, member, stage, _teacher(stage, teachers), network, layers, images, given)
    return given, None if layers.note is None else f"{member.name}: {layers.note}."


def _networks(
    config: ExperimentConfig, material: Material, member: Member, stage: Stage, teachers: Sequence[Teaches]
) -> tuple[dict[str, nn.Module], dict[str, nn.Module]]:
    """Those that learn in `stage`, and the one teacher into which it looks, by name; all untrained."""
    own = {STUDENT: member.network, **{peer.name: peer for peer in stage.peers}}
    learners = {
        name: bare_network(config, material, architecture(config, member.role, network))
        for name, network in own.items()
    }
    if not any(name.startswith("teacher_") and name != "teacher_logits" for name in stage.inputs):
        return learners, {}
    each = _teacher(stage, teachers)
    return learners, {each.source.network: bare_network(config, material, each.origin.built)}


def _taught(
    config: ExperimentConfig,
    member: Member,
    stage: Stage,
    each: Teaches,
    network: nn.Module,
    layers: StageLayers,
    images: Tensor,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """What the teacher says of `images`."""
    name = each.source.network
    reading = Reading("teacher", layers.tap.get(name), layers.features.get(name, ()))
    mode = batch_statistics(network) if stage.teacher_mode == "train" else nullcontext()
    try:
        with untouched(network), torch.no_grad():
            with mode:
                said = reading.whole(network, images, stage.inputs, given["labels"])
            return said | {"teacher_norms": norms_of(network, layers.norms)}
    except LayerError as error:
        raise ConfigError(
            f"{_imitates(config, member, stage)}, and its teacher {name} ({each.origin.built[0]}) has none: {error}"
        ) from error


def _try(
    config: ExperimentConfig,
    member: Member,
    stage: Stage,
    term: Term,
    given: dict[str, Any],
    teachers: Sequence[Teaches],
) -> str | None:
    """What a user should be told of the memory that `term` holds."""
    objective, takes = find_objective(term.objective), {name: given[name] for name in term.inputs}
    note = memory_note(config, member.name, stage, term, takes)
    failed, after = f"{member.name}: in its stage {stage.name!r} {term.objective} cannot be computed", ""
    if {"teacher_feature", "teacher_features"} & {*term.inputs}:
        each = _teacher(stage, teachers)
        failed = (
            f"{_imitates(config, member, stage)} of its teacher {each.source.network} ({each.origin.built[0]}), "
            f"and {term.objective} cannot compare the two"
        )
        after = f" [{_shapes(takes)}]"
    with users_code(failed, after), torch.enable_grad():
        if is_connector(objective):
            values = objective(takes, **term.options).to(device(config))(**takes)
        else:
            values = objective(**takes, **term.options)
    try:
        check_values(term.objective, values, given["labels"].shape)
    except ConfigError as error:
        raise ConfigError(f"{member.name}: {error}") from error
    return note


def _shapes(takes: Mapping[str, Any]) -> str:
    """The shapes of the features among the inputs of a term."""
    found = {
        name: value for name, value in takes.items() if name.partition("_")[2] in ("feature", "features")
    }
    several = {name: value if isinstance(value, tuple) else (value,) for name, value in found.items()}
    return "; ".join(
        f"{name} {', '.join(str(tuple(value.shape)) for value in values)}" for name, values in several.items()
    )


def _teacher(stage: Stage, teachers: Sequence[Teaches]) -> Teaches:
    """The only one of a stage that looks into a teacher."""
    return next(each for each in teachers if each.source in stage.teachers)


def _imitates(config: ExperimentConfig, member: Member, stage: Stage) -> str:
    named = [] if stage.tap is None else [config.measure.layer if stage.tap == LAYER else stage.tap]
    named += [] if stage.features is None else stage.features.teacher
    layers = ", ".join(map(repr, named))
    return f"{member.name}: its stage {stage.name!r} imitates the layer{'s' * (len(named) > 1)} {layers}"

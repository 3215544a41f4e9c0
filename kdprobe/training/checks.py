"""All that can be known of a training before its first step."""

from collections.abc import Mapping

import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.errors import ConfigError, DataError, TrainingError
from kdprobe.estimator.taps import check_tap, untouched
from kdprobe.recipes import Recipe, Stage
from kdprobe.training.foreground import check_foregrounds
from kdprobe.training.layers import STUDENT, StageLayers, stage_layers
from kdprobe.training.settings import TrainingSettings
from kdprobe.training.teaching import TeachingNetwork, route


def check_training(
    model: nn.Module,
    recipe: Recipe,
    layer: str | None,
    train_data: LabelledImages,
    teachers: Mapping[str, TeachingNetwork],
    peers: Mapping[str, nn.Module],
) -> list[StageLayers]:
    """The layers at which each stage looks.

    Raises ConfigError (no teacher, no layer under study), DataError, LayerError or TrainingError for what can never be
    trained.
    """
    if len(train_data) == 0:
        raise DataError(
            f"The training split of {train_data.name} holds no images; look at its path and options."
        )
    for stage in recipe.stages:
        _check_teachers(recipe, stage, teachers)
    if next(model.parameters(), None) is None:
        raise TrainingError(f"{type(model).__name__} has no parameters: nothing can learn.")
    example = example_of(model, train_data)
    with untouched(model), torch.no_grad():
        logits = model(example)
    classes = int(train_data.labels.max()) + 1
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] < classes:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise DataError(
            f"{train_data.name} has {classes} classes, so the network must return (batch, {classes} or "
            f"more), got {got}."
        )
    return [_checked_layers(model, stage, layer, train_data, teachers, peers) for stage in recipe.stages]


def _checked_layers(
    model: nn.Module,
    stage: Stage,
    layer: str | None,
    train_data: LabelledImages,
    teachers: Mapping[str, TeachingNetwork],
    peers: Mapping[str, nn.Module],
) -> StageLayers:
    learners = {STUDENT: model} | {peer.name: peers[peer.name] for peer in stage.peers if peer.name in peers}
    teaching = {source.network: teachers[source.network].model for source in stage.teachers}
    layers = stage_layers(stage, layer, learners, teaching, train_data.normalised[:2])
    for name, network in (*learners.items(), *teaching.items()):
        looked_at = [layers.tap[name]] if name in layers.tap else []
        for each in dict.fromkeys([*looked_at, *layers.features.get(name, ())]):
            check_tap(network, each, example_of(network, train_data))
    return layers


def _check_teachers(recipe: Recipe, stage: Stage, teachers: Mapping[str, TeachingNetwork]) -> None:
    for source in stage.teachers:
        if source.network not in teachers:
            named = "a teacher" if source.network == "teacher" else f"the teacher {source.network}"
            raise ConfigError(f"The recipe {recipe.name!r} needs {named}; train or load one first.")
        route(source, teachers[source.network])
    own = sorted(name for name in stage.inputs if name.startswith("teacher_") and name != "teacher_logits")
    if len(stage.teachers) > 1 and own:
        raise ConfigError(
            f"The stage {stage.name!r} takes {own[0]} of several teachers, whose features have no common "
            "axes; name one teacher, or take teacher_logits."
        )


def check_stages(
    model: nn.Module,
    recipe: Recipe,
    settings: TrainingSettings,
    train_data: LabelledImages,
    test_data: LabelledImages | None,
    peers: Mapping[str, nn.Module],
) -> None:
    """Raises ConfigError for a stage with an epoch in which nothing is learned, or without a peer that it names;
    DataError if a network is to see foregrounds that are not known."""
    for stage in recipe.stages:
        epochs = settings.stage_epochs(stage.epochs)
        for epoch in range(1, epochs + 1):
            if not stage.inputs_at(epoch, epochs):
                raise ConfigError(
                    f"In epoch {epoch} of the {epochs} of the stage {stage.name!r} no term of its objective counts; "
                    "change from, until or the number of epochs."
                )
        if stage.student_inputs == "foreground":
            check_foregrounds(train_data)
            if test_data is not None:
                check_foregrounds(test_data)
        if stage.teacher_inputs == "foreground":
            check_foregrounds(train_data)
        for peer in stage.peers:
            if peer.name not in peers:
                raise ConfigError(
                    f"The stage {stage.name!r} trains the peer {peer.name} with the student; build it first."
                )
            _check_peer(peer.name, peers[peer.name], model, example_of(model, train_data))


def _check_peer(name: str, peer: nn.Module, student: nn.Module, example: torch.Tensor) -> None:
    weights = {p.data_ptr() for p in student.parameters()} - {0}
    shared = [of for of, p in peer.named_parameters() if p.data_ptr() in weights]
    if peer is student or shared:
        raise TrainingError(f"The peer {name} and the student share weights; give it a network of its own.")
    with untouched(student), untouched(peer), torch.no_grad():
        shapes = tuple(student(example).shape), tuple(peer(example.to(next(peer.parameters()).device)).shape)
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"The peer {name} returns {shapes[1]} where the student returns {shapes[0]}; both need the same classes."
        )


def check_values(name: str, values: object, shape: tuple[int, ...]) -> None:
    """Raises ConfigError unless `values`, of the objective `name`, is one number for each sample, `shape` (B,)."""
    if not isinstance(values, torch.Tensor) or values.shape != tuple(shape):
        got = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise ConfigError(
            f"The objective {name} must return one value per sample, shape {tuple(shape)}, got {got}; leave out its "
            "mean or sum over the batch."
        )


def example_of(model: nn.Module, data: LabelledImages) -> torch.Tensor:
    """Two images, where `model` is."""
    return data.normalised.on(next(model.parameters()).device)[:2]

"""Training a network by a recipe."""

import time
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.errors import ConfigError, DataError, TrainingError
from kdprobe.estimator.taps import check_tap, untouched
from kdprobe.recipes import LAYER, Recipe, Stage
from kdprobe.storage import SnapshotStore
from kdprobe.training.batches import Batches
from kdprobe.training.lightning_run import fit
from kdprobe.training.module import StageModule, StagePlan
from kdprobe.training.result import StageRecord, TrainingResult
from kdprobe.training.scope import learning_scope
from kdprobe.training.settings import TrainingSettings
from kdprobe.training.snapshots import WeightSnapshots
from kdprobe.training.surroundings import own_randomness, restored, training_device
from kdprobe.training.teacher import frozen_teacher
from kdprobe.training.watch import EpochLog, Progress


def train_network(
    model: nn.Module,
    recipe: Recipe,
    train_data: LabelledImages,
    test_data: LabelledImages | None,
    *,
    settings: TrainingSettings,
    layer: str | None,
    store: SnapshotStore,
    teacher: nn.Module | None = None,
    seed: int,
    log_path: str | Path | None = None,
    show_progress: bool = False,
) -> TrainingResult:
    """Trains `model` in place, stage by stage; `store` gets its weights at epoch 0 and after every epoch.

    `layer` is the layer under study, filled in where the recipe says {layer}; epochs and steps run on over
    the stages. `seed` decides the order of the batches, flips and dropout, never the initial weights; on one
    machine the same seed gives the same bytes. Afterwards the training flags, requires_grad and device of
    `model` and `teacher`, and the states of the random generators, are as before. With `log_path`, a JSON
    line per epoch (epoch, stage, step, loss, accuracy, seconds) is appended there; epoch 0 has no loss.

    Raises ConfigError (no teacher, no layer), LayerError, DataError (no images, more classes than outputs),
    SnapshotError (the store is not empty), TrainingError (loss not finite, teacher changed, nothing learns).
    """
    began = time.perf_counter()
    device = training_device(settings)
    taps = [_fill_in(stage, layer) for stage in recipe.stages]
    _check(model, recipe, taps, train_data, teacher)
    batches = Batches(
        train_data.images, train_data.labels, settings.batch_size, seed=seed, flips=settings.flips
    )
    log = EpochLog(test_data, None if log_path is None else Path(log_path))
    stages: list[StageRecord] = []
    epochs_done = steps_done = 0
    with ExitStack() as stack:
        stack.enter_context(own_randomness(device))
        stack.enter_context(frozen_teacher(teacher if recipe.teacher else None, model, device))
        stack.enter_context(restored(model))
        scopes = [
            learning_scope(model, stage.learns, tap, _example(model, train_data))
            for stage, tap in zip(recipe.stages, taps, strict=True)
        ]
        epochs = [
            settings.stage_epochs(stage.epochs) if scope.parameters else 0
            for stage, scope in zip(recipe.stages, scopes, strict=True)
        ]
        if not any(epochs):
            raise TrainingError("Every weight of the network is frozen: nothing can learn.")
        progress = []
        if show_progress:
            progress = [Progress(recipe.title, len(batches) * sum(epochs))]
            stack.callback(progress[0].close)
        for index, stage in enumerate(recipe.stages):
            plan = StagePlan(index, stage, taps[index], scopes[index], epochs[index], epochs_done, steps_done)
            if plan.epochs:
                plan.scope.freeze(model)
                snapshots = WeightSnapshots(
                    store, index, epochs_done, first_step=steps_done, module="student"
                )
                module = StageModule(model, teacher, plan, batches, settings, seed)
                fit(module, plan.epochs, device, [snapshots, log, *progress])
            epochs_done += plan.epochs
            steps_done += plan.epochs * len(batches)
            stages.append(_stage_record(plan, epochs_done))
    return TrainingResult(
        accuracy=log.accuracy[epochs_done],
        accuracy_by_epoch=log.accuracy,
        loss_by_epoch=log.loss,
        seconds=time.perf_counter() - began,
        stages=tuple(stages),
        steps=steps_done,
    )


def _stage_record(plan: StagePlan, last_epoch: int) -> StageRecord:
    first_epoch = plan.first_epoch + 1 if plan.first_epoch else 0
    return StageRecord(
        index=plan.index,
        name=plan.stage.name,
        first_epoch=first_epoch,
        last_epoch=last_epoch if plan.epochs else first_epoch - 1,
        classifier_trained="student_logits" in plan.stage.inputs or plan.scope.tap_sees_all,
        analysed=plan.stage.analysed,
    )


def _fill_in(stage: Stage, layer: str | None) -> str | None:
    if stage.tap != LAYER:
        return stage.tap
    if layer is None:
        raise ConfigError(
            f"The stage {stage.name!r} works at the layer under study; name one, for example layer: fc1."
        )
    return layer


def _check(
    model: nn.Module,
    recipe: Recipe,
    taps: list[str | None],
    train_data: LabelledImages,
    teacher: nn.Module | None,
) -> None:
    """All that can be known before the first step."""
    if len(train_data) == 0:
        raise DataError(
            f"The training split of {train_data.name} holds no images; look at its path and options."
        )
    if recipe.teacher and teacher is None:
        raise ConfigError(f"The recipe {recipe.name!r} needs a teacher; train or load one first.")
    if next(model.parameters(), None) is None:
        raise TrainingError(f"{type(model).__name__} has no parameters: nothing can learn.")
    example = _example(model, train_data)
    with untouched(model), torch.no_grad():
        logits = model(example)
    classes = int(train_data.labels.max()) + 1
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[1] < classes:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise DataError(
            f"{train_data.name} has {classes} classes, so the network must return (batch, {classes} or "
            f"more), got {got}."
        )
    for stage, tap in zip(recipe.stages, taps, strict=True):
        if tap is not None:
            check_tap(model, tap, example)
            if stage.teacher:
                check_tap(teacher, tap, _example(teacher, train_data))


def _example(model: nn.Module, data: LabelledImages) -> torch.Tensor:
    return data.images[:2].to(next(model.parameters()).device)

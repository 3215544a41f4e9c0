"""Training a network by a recipe."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.errors import TrainingError
from kdprobe.recipes import Recipe
from kdprobe.storage import SnapshotStore
from kdprobe.training.batches import Batches
from kdprobe.training.checks import check_stages, check_training, example_of
from kdprobe.training.journal import Journal
from kdprobe.training.layers import STUDENT
from kdprobe.training.lightning_run import fit
from kdprobe.training.live_stages import LiveStages
from kdprobe.training.module import StageModule, StagePlan
from kdprobe.training.result import StageRecord, TrainingResult
from kdprobe.training.resume import Resume
from kdprobe.training.scope import learning_scope
from kdprobe.training.settings import TrainingSettings
from kdprobe.training.stage_batches import StageBatches
from kdprobe.training.stage_teachers import StageTeachers
from kdprobe.training.surroundings import own_randomness, restored, training_device
from kdprobe.training.teacher import frozen_teachers
from kdprobe.training.teacher_cache import TeacherCache, cleared
from kdprobe.training.teaching import TeachingNetwork
from kdprobe.training.watch import Progress


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
    teachers: Mapping[str, TeachingNetwork] | None = None,
    peers: Mapping[str, nn.Module] | None = None,
    seed: int,
    log_path: str | Path | None = None,
    path_length: Sequence[str] = (),
    path_log: str | Path | None = None,
    live: LiveStages | None = None,
    show_progress: bool = False,
    resume: Resume | None = None,
    cache_teacher: bool = True,
) -> TrainingResult:
    """Trains `model` in place, stage by stage; `store` gets its weights at epoch 0 and after every epoch
    (or those that `settings.snapshots` names).

    `teachers`: all that the recipe's stages learn from, by the name of the source; `teacher` alone is the source
    "teacher" as it ended. `peers`: the networks that the stages name as peers, trained in place with `model`.
    `cache_teacher`: a teacher that sees the same images in several epochs (no flips) is asked once; its outputs lie
    in a folder beside the store's until the stage ends, and take at most half of the free disk.

    `layer` is the layer under study, filled in where the recipe says {layer}; epochs and steps run on over
    the stages. `seed` decides the order of the batches, flips and dropout, never the initial weights; on one
    machine the same seed gives the same bytes. Afterwards the training flags, requires_grad and device of
    `model` and `teacher`, and the states of the random generators, are as before. With `log_path`, a JSON
    line per epoch (epoch, stage, step, loss, accuracy, seconds) is appended there; epoch 0 has no loss.
    With `path_length`, names of parameters, each stage's way of these, optimiser step by step, is appended
    to `path_log` (see `WeightSnapshots`). `live`: looks at the network at the start and after epochs, and
    changes nothing of the training.

    With `resume` all that is needed to go on is noted after every epoch, and a training that was interrupted
    goes on after the last epoch noted, to the same bytes as one that was not. Generators are seeded anew in
    every epoch, so no state of them is noted. Snapshots and log lines of later epochs are removed.
    The weights at the start of the analysed stage must then be kept, whatever `settings.on_error` says.

    Raises ConfigError (no teacher or peer, none of the epochs that are to teach, no layer, an epoch without any term,
    interrupted with other settings), LayerError, DataError (no images, no foregrounds where they are shown, more
    classes than outputs), SnapshotError (the store is not empty; the resume points cannot be used; the analysed
    stage's start is not kept), TrainingError (loss not finite, teacher
    changed, nothing learns).
    """
    device = training_device(settings)
    known = dict(teachers or {}) | ({} if teacher is None else {"teacher": TeachingNetwork(teacher)})
    peers = dict(peers or {})
    layers = check_training(model, recipe, layer, train_data, known, peers)
    check_stages(model, recipe, settings, train_data, test_data, peers)
    journal = Journal(
        store,
        settings,
        test_data,
        None if log_path is None else Path(log_path),
        resume,
        path_length=path_length,
        path_log=None if path_log is None else Path(path_log),
        live=live,
    )
    rows = train_data.normalised.on(device)
    batches = Batches(rows, train_data.labels, settings.batch_size, seed=seed, flips=settings.flips)
    stages: list[StageRecord] = []
    epochs_done = steps_done = 0
    with ExitStack() as stack:
        stack.enter_context(own_randomness(device))
        stack.enter_context(frozen_teachers(recipe, known, [model, *peers.values()], device))
        for network in (model, *peers.values()):
            stack.enter_context(restored(network))
        scopes = [
            learning_scope(model, stage.learns, at.tap.get(STUDENT), example_of(model, train_data))
            for stage, at in zip(recipe.stages, layers, strict=True)
        ]
        epochs = [
            settings.stage_epochs(stage.epochs) if scope.parameters else 0
            for stage, scope in zip(recipe.stages, scopes, strict=True)
        ]
        if not any(epochs):
            raise TrainingError("Every weight of the network is frozen: nothing can learn.")
        journal.restore(model, epochs, peers)
        outputs = store.folder.with_name(f"{store.folder.name}-taught")
        stack.enter_context(cleared(outputs))
        progress = []
        if show_progress:
            progress = [Progress(recipe.title, len(batches) * sum(epochs), done=journal.so_far.step)]
            stack.callback(progress[0].close)
        for index, stage in enumerate(recipe.stages):
            plan = StagePlan(
                index, stage, layers[index], scopes[index], epochs[index], epochs_done, steps_done
            )
            epochs_done += plan.epochs
            steps_done += plan.epochs * len(batches)
            stages.append(_stage_record(plan, epochs_done))
            if plan.epochs and journal.so_far.epoch < epochs_done:
                plan.scope.freeze(model)
                cache = TeacherCache(outputs, len(train_data), batches.batch_size)
                fixed = cache_teacher and not settings.flips
                who = StageTeachers(stage, plan.layers, plan.epochs, known, device, cache if fixed else None)
                seen = StageBatches(batches, stage, train_data.foregrounds, who.kept)
                module = StageModule(model, who, plan, seen, settings, seed, device, peers)
                callbacks, held = journal.callbacks(plan, connectors=bool(len(module.connectors)))
                fit(module, plan.epochs, device, [*progress, *callbacks], held)
                who.close()
                journal.retry(model, plan, len(batches))
    not_kept = journal.not_kept(epochs_done, len(batches))
    return TrainingResult(
        accuracy=journal.log.accuracy[epochs_done],
        accuracy_by_epoch=journal.log.accuracy,
        loss_by_epoch=journal.log.loss,
        seconds=journal.seconds(),
        stages=tuple(stages),
        steps=steps_done,
        epochs_not_kept=not_kept,
        failed_snapshots=len({*journal.failed()} & {*not_kept}),
        failed_notes=len(journal.unnoted()),
    )


def _stage_record(plan: StagePlan, last_epoch: int) -> StageRecord:
    first_epoch = plan.first_epoch + 1 if plan.first_epoch else 0
    return StageRecord(
        index=plan.index,
        name=plan.stage.name,
        first_epoch=first_epoch,
        last_epoch=last_epoch if plan.epochs else first_epoch - 1,
        classifier_trained=plan.scope.tap_sees_all
        or not plan.stage.inputs.isdisjoint(("student_logits", "student_input_gradient")),
        analysed=plan.stage.analysed,
    )

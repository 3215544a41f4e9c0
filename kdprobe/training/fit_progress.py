"""How far a Lightning training is, where the Trainer's own numbers need reading between the lines."""

import math

import lightning.pytorch as L

from kdprobe.errors import SnapshotError
from kdprobe.training.averaging import averages
from kdprobe.training.when import When


def is_last_batch(trainer: L.Trainer) -> bool:
    """Whether the running batch, or the one just done, is the last of its epoch."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    return progress.is_last_batch or progress.current.ready >= trainer.num_training_batches


def completed(trainer: L.Trainer) -> tuple[int, bool]:
    """Where a training starts or goes on: epochs trained to their end, and whether it is inside another one.

    Lightning itself counts an epoch that `max_steps` broke off, but goes on inside it; it does not count one whose
    checkpoint was saved after its last batch and validation, but before its end, and reports that end again.
    """
    loop = trainer.fit_loop
    batches, epochs = loop.epoch_loop.batch_progress.current.ready, loop.epoch_progress.current
    inside = batches > 0 and not is_last_batch(trainer)
    unended = batches > 0 and not inside and epochs.ready > epochs.processed
    return epochs.processed + unended - (inside and not loop.restarted_mid_epoch), inside


def planned_snapshots(
    trainer: L.Trainer, when: When, *, epoch: int, step: int, first_epoch: int, first_step: int
) -> int | None:
    """How many snapshots follow after `epoch` and `step`, counted from first_epoch and first_step.

    None if the Trainer has no limit, or only one of steps for epochs of unknown length.
    """
    per_epoch = trainer.num_training_batches / trainer.accumulate_grad_batches
    return when.planned(
        epoch=epoch,
        step=step,
        steps_per_epoch=math.ceil(per_epoch) if math.isfinite(per_epoch) else math.inf,
        epochs=math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs,
        steps=math.inf if trainer.max_steps == -1 else trainer.max_steps,
        first_epoch=first_epoch,
        first_step=first_step,
    )


class Updates:
    """Whether the weights are those after a step, or some of them are just being updated."""

    def __init__(self, step: int = 0) -> None:
        self._stepping = -1  # the step after which an optimiser began the next one
        self._settled = step  # the last step after which everything was updated

    def begins(self, step: int) -> None:
        """An optimiser begins the step after `step`."""
        self._stepping = step

    def settled(self, step: int) -> None:
        """A batch is done, and so is everything that follows from `step`."""
        self._settled = step

    def check(self, trainer: L.Trainer, weights: str) -> None:
        """Raises SnapshotError if the `weights`, half updated or exchanged, are those of no step."""
        if trainer.validating and averages(trainer):
            raise SnapshotError("WeightAveraging had exchanged them for the validation.")
        step = trainer.global_step
        if (self._stepping == step) if weights == "raw" else (self._settled != step):
            raise SnapshotError("they were being updated.")

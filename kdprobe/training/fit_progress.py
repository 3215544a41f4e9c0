"""How far a Lightning training is, where the Trainer's own numbers need reading between the lines."""

import math

import lightning.pytorch as L

from kdprobe.training.when import When


def is_last_batch(trainer: L.Trainer) -> bool:
    """Whether the running batch, or the one just done, is the last of its epoch."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    return progress.is_last_batch or progress.current.ready >= trainer.num_training_batches


def completed(trainer: L.Trainer) -> tuple[int, bool]:
    """Where a training starts or goes on: epochs trained to their end, and whether it is inside another one.

    Lightning itself counts an epoch that `max_steps` broke off, but goes on inside it.
    """
    loop = trainer.fit_loop
    inside = loop.epoch_loop.batch_progress.current.ready > 0 and not is_last_batch(trainer)
    epochs = loop.epoch_progress.current.processed
    return epochs - (inside and not loop.restarted_mid_epoch), inside


def planned_snapshots(
    trainer: L.Trainer, when: When, *, epoch: int, step: int, first_epoch: int, first_step: int
) -> int | None:
    """How many snapshots follow after `epoch` and `step`, counted from first_epoch and first_step.

    None if the Trainer has no limit, or only one of steps for epochs of unknown length.
    """
    per_epoch = trainer.num_training_batches / trainer.accumulate_grad_batches
    per_epoch = math.ceil(per_epoch) if math.isfinite(per_epoch) else math.inf
    epochs = math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs
    steps = math.inf if trainer.max_steps == -1 else trainer.max_steps
    if math.isfinite(per_epoch):
        steps = min(steps, epochs * per_epoch)
        epochs = min(epochs, steps // per_epoch)
    if not math.isfinite(epochs):
        return None
    last = first_epoch + int(epochs)
    kept = [each for each in range(epoch + 1, last + 1) if when.at_epoch(each)]
    if not math.isfinite(steps):
        return len({*kept, last})
    places = {first_step + (each - first_epoch) * per_epoch for each in kept}
    if when.every_n_steps is not None:
        every, end = when.every_n_steps, first_step + int(steps)
        places |= set(range((step // every + 1) * every, end + 1, every))
    return len(places | {first_step + steps})

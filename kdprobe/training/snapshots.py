"""The Lightning callback that keeps a network's weights, epoch by epoch."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.training.averaging import averaged_module, placed, submodule
from kdprobe.training.fit_progress import Updates, completed, is_last_batch, planned_snapshots
from kdprobe.training.path_length import PathLength
from kdprobe.training.processes import check_strategy, in_first_process
from kdprobe.training.when import When
from kdprobe.training.writer import SnapshotWriter


class WeightSnapshots(L.Callback):
    """Saves the weights before the first step (epoch 0) and after every epoch (epoch k: after k epochs).

    Works in any Trainer with any LightningModule::

        Trainer(callbacks=[WeightSnapshots("run/snapshots", module="model")])

    Where: `store_or_folder`; a training that starts from the beginning needs an empty one, one that is
    resumed (`ckpt_path`) goes on in its own. Snapshots there that are newer than the checkpoint must come out
    equal; with `newer` "remove" they make way (a shuffled training is rarely repeated bit by bit).

    What: `module`, the attribute of the LightningModule to save (dotted if deeper), so that the tensor names
    are the network's own; by default the LightningModule itself. `weights`: raw, or averaged by Lightning's
    WeightAveraging, which may stand anywhere among the callbacks. `stage`, `first_epoch` and `first_step` let
    a training of several stages, each with its Trainer, count on.

    When: `every_n_epochs`, or in its place `epochs`, a list of epochs or the name of one (released); beside
    them `every_n_steps`, in optimiser steps. The weights at the start and at the end are always saved. What
    is taken inside an epoch is marked as partial: the steps; the end, if `max_steps` ended the training
    there; the state in which Ctrl-C or an exception broke it off, unless that was in the middle of an
    optimiser step or, with WeightAveraging, in a validation. (BatchNorm may then have seen the batch that was
    broken off. An epoch is completed when its validation is.)

    `on_error`: with "warn", a save that the system refuses (disk full, no permission) gives a warning and a
    sentence in `failures`, and a disk that will be too small a warning; training goes on. With "raise" both
    are SnapshotErrors, the latter before the first step. Other weights where a snapshot should go always are.
    The disk that will be needed is said before the first step, in one line of Lightning's log.

    `path_length`: a layer, or a list of parameters: how far its raw weights move, summed over optimiser steps
    and in units of their norm at the start, is then in `path_length_by_epoch` and, given `log_path`, in
    a JSON line there per epoch (epoch, stage, step, path_length, parameters; of an epoch that was trained
    again the last line counts). It is measured from the start of this Trainer's training.

    The training's numbers are the same with and without the callback. Of several processes the first writes.
    Nothing is written by the sanity check of the validation or under `fast_dev_run`. Raises ConfigError for
    settings that cannot be used, no such module, and strategies that shard the weights; SnapshotError if the
    folder holds the snapshots of another training.
    """

    def __init__(
        self,
        store_or_folder: SnapshotStore | str | Path,
        stage: int = 0,
        first_epoch: int = 0,
        *,
        first_step: int = 0,
        module: str | None = None,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        epochs: str | Iterable[int] | None = None,
        weights: str = "raw",
        on_error: str = "warn",
        newer: str = "keep",
        path_length: str | Sequence[str] | None = None,
        log_path: str | Path | None = None,
    ) -> None:
        when = When.of(every_n_epochs, every_n_steps, epochs)
        choices = {"weights": weights, "on_error": on_error, "newer": newer}
        self._writer = SnapshotWriter(store_or_folder, when, stage=stage, tell=rank_zero_info, **choices)
        self.first_epoch = first_epoch
        self.first_step = first_step
        self.module = module
        if log_path is not None and path_length is None:
            raise ConfigError("log_path is where path_length goes; give path_length too, or leave it out.")
        self._path = None if path_length is None else PathLength(path_length, log_path)
        self._running = False
        self._batches = 0  # of the running epoch
        self._updates = Updates()

    @property
    def store(self) -> SnapshotStore:
        """Where the snapshots go."""
        return self._writer.store

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each state that could not be written."""
        return self._writer.failures

    @property
    def failed_epochs(self) -> tuple[int, ...]:
        """How many epochs were completed at each of the `failures`."""
        return self._writer.failed_epochs

    @property
    def path_length_by_epoch(self) -> dict[int, float]:
        """Length of the path of `path_length` from the start to the end of each epoch; empty without it."""
        return {} if self._path is None else dict(self._path.by_epoch)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            trainer.callbacks = placed(trainer.callbacks, self, self._writer.weights)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.fast_dev_run:
            return
        check_strategy(trainer.strategy)
        network = self._network(trainer, pl_module)
        epoch, inside = completed(trainer)
        epoch, step = self.first_epoch + epoch, self._step(trainer)
        self._batches, self._updates = int(inside), Updates(trainer.global_step)
        if self._path is not None:
            self._path.start(submodule(pl_module, self.module), epoch, trainer.global_step)
        self._writer.begins(epoch, step, inside=inside)
        starts = {"first_epoch": self.first_epoch, "first_step": self.first_step}
        planned = planned_snapshots(trainer, self._writer.when, epoch=epoch, step=step, **starts)
        new = epoch == trainer.global_step == 0
        in_first_process(trainer, lambda: self._writer.start(network, step, planned, new))
        self._running = True

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._writer.epoch_begins()

    def on_before_optimizer_step(self, trainer: L.Trainer, *_: Any) -> None:
        self._updates.begins(trainer.global_step)
        self._measure(trainer)  # with manual optimisation, a batch may have several steps

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if not self._running:
            return
        self._batches += 1
        self._measure(trainer)
        self._updates.settled(trainer.global_step)
        if not is_last_batch(trainer) and self._writer.step_done(self._step(trainer)):
            self._save(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # A resumed training may report the end of an epoch again of which it has trained nothing.
        if not self._running or not self._batches or not is_last_batch(trainer):
            return
        self._batches = 0
        if self._writer.epoch_done(self._step(trainer)):
            self._save(trainer, pl_module)
        if self._path is not None:
            self._path.epoch_done(self._writer.epoch)
            line = self._writer.epoch, self._writer.stage, self._step(trainer)
            in_first_process(trainer, lambda: self._writer.attempt(lambda: self._path.log_epoch(*line)))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._running:
            self._save(trainer, pl_module)
        self._running = False

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Saves the present state, if it is one; whatever happens here, the exception stays the one it is."""
        running, self._running = self._running, False
        if not running or not trainer.is_global_zero or isinstance(exception, SnapshotError):
            return
        try:
            self._updates.check(trainer, self._writer.weights)
            self._writer.write(self._network(trainer, pl_module), self._step(trainer))
        except Exception as error:  # any type: it would hide the error that ended the training; warned of
            self._writer.note(f"The weights after the exception are not kept: {error}")

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if self._path is not None and self._path.by_epoch:
            checkpoint[self._path.key(self.module)] = self._path.state_dict()

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        if self._path is not None and self._path.key(self.module) in checkpoint:
            self._path.load_state_dict(checkpoint[self._path.key(self.module)])

    def _measure(self, trainer: L.Trainer) -> None:
        if self._running and self._path is not None:
            self._path.step_done(trainer.global_step)

    def _save(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        network, step = self._network(trainer, pl_module), self._step(trainer)
        in_first_process(trainer, lambda: self._writer.write(network, step))

    def _step(self, trainer: L.Trainer) -> int:
        return self.first_step + trainer.global_step

    def _network(self, trainer: L.Trainer, pl_module: L.LightningModule) -> nn.Module:
        held = averaged_module(trainer) if self._writer.weights == "averaged" else pl_module
        return submodule(held, self.module)

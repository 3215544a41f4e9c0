"""The callback that keeps a network's weights in a training by Hugging Face's Trainer."""

import logging
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.storage import SnapshotStore
from kdprobe.training.when import When
from kdprobe.training.writer import SnapshotWriter

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ConfigError(
        "HuggingFaceSnapshots needs the package transformers; pip install 'kdprobe[hugging_face]'."
    ) from error

_log = logging.getLogger(__name__)


class HuggingFaceSnapshots(TrainerCallback):
    """Saves the weights before the first step (epoch 0) and after every epoch, like WeightSnapshots::

        Trainer(model, callbacks=[HuggingFaceSnapshots("run/snapshots")], ...)

    Of the same meaning as there: `every_n_epochs`, `every_n_steps`, `epochs`, `on_error`, `newer`,
    `failures`. The last state is saved when `max_steps` or the epochs end the training; not when an exception
    does, which the Trainer does not report, nor when another callback does and `load_best_model_at_end` has
    replaced it. The disk that will be needed is logged before the first step, at level INFO. Raises
    ConfigError if transformers is missing, and for DeepSpeed and FSDP, which shard the weights.
    """

    def __init__(
        self,
        store_or_folder: SnapshotStore | str | Path,
        *,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        epochs: str | Iterable[int] | None = None,
        on_error: str = "warn",
        newer: str = "keep",
    ) -> None:
        when = When.of(every_n_epochs, every_n_steps, epochs)
        self._writer = SnapshotWriter(store_or_folder, when, tell=_log.info, on_error=on_error, newer=newer)

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each state that could not be written."""
        return self._writer.failures

    def on_train_begin(
        self, args: Any, state: Any, control: Any, *, model: nn.Module, train_dataloader: Any = None, **_: Any
    ) -> None:
        if args.deepspeed or args.fsdp:
            raise ConfigError("DeepSpeed and FSDP shard the weights; train without them to keep snapshots.")
        epoch = int(state.epoch)
        self._writer.begins(epoch, state.global_step, inside=state.epoch > epoch)
        if state.is_world_process_zero:
            planned = self._writer.when.planned(
                epoch=epoch,
                step=state.global_step,
                steps_per_epoch=_steps_per_epoch(args, train_dataloader),
                # of data of unknown length the Trainer plans sys.maxsize epochs
                epochs=math.inf if state.num_train_epochs == sys.maxsize else state.num_train_epochs,
                steps=state.max_steps,
            )
            self._writer.start(model, state.global_step, planned, new=state.global_step == 0)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._writer.epoch_begins()

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: nn.Module, **_: Any) -> None:
        if state.epoch % 1 and self._writer.step_done(state.global_step):
            self._write(state, model)

    def on_epoch_end(self, args: Any, state: Any, control: Any, *, model: nn.Module, **_: Any) -> None:
        broken_off = control.should_training_stop or control.should_epoch_stop
        whole = state.epoch % 1 == 0 or not broken_off
        if (whole and self._writer.epoch_done(state.global_step)) or control.should_training_stop:
            self._write(state, model)

    def on_train_end(self, args: Any, state: Any, control: Any, *, model: nn.Module, **_: Any) -> None:
        if not args.load_best_model_at_end:
            self._write(state, model)

    def _write(self, state: Any, model: nn.Module) -> None:
        self._writer.write(model, state.global_step, here=state.is_world_process_zero)


def _steps_per_epoch(args: Any, batches: Any) -> float:
    """As the Trainer counts them; infinite if the number of `batches` is not known."""
    try:
        return max(math.ceil(len(batches) / args.gradient_accumulation_steps), 1)
    except TypeError:
        return math.inf

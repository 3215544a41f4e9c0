"""The Lightning callback that shows what a network knows while it is being trained."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from torch import Tensor, nn

from kdprobe.errors import ConfigError
from kdprobe.live import LiveProbe
from kdprobe.training.averaging import placed, submodule
from kdprobe.training.fit_progress import completed, is_last_batch
from kdprobe.training.loggers import LOGGED, log_everywhere, place_in_logs
from kdprobe.training.processes import check_strategy, in_first_process
from kdprobe.training.when import When


class KnowledgeProbe(L.Callback):
    """Counts the concepts of a few fixed images before the first step (epoch 0) and at the end of epochs.

    Works in any Trainer with any LightningModule, and changes nothing in its training::

        Trainer(callbacks=[KnowledgeProbe(images, masks, "fc1", "runs/mine", module="model")])

    What is measured, and what is written to `folder` (metrics.jsonl, live.html), says `LiveProbe`, to which `options`
    go. Every logger of the Trainer gets probe/n_foreground, probe/n_background, probe/relevance_ratio,
    probe/stability_so_far, each with its interval (_low, _high), and probe/weight_path; those of TensorBoard, W&B and
    MLflow concept maps, too. Several in one Trainer need folders of their own, and each its own `name` or layer: both
    then stand in what is logged, probe/NAME/LAYER/n_foreground and so on.

    Where: `module`, the attribute of the LightningModule that holds the network (dotted if deeper); by default the
    LightningModule itself. When: `every_n_epochs`, or in its place `epochs`, a list of epochs; the start of the
    training and its end, unless that is inside an epoch, are always observed. `stage`, `first_epoch` and `first_step`
    let a training of several stages, each with its Trainer, count on.

    Lightning's checkpoints hold what the next observation needs, so that a resumed training (`ckpt_path`) goes on with
    the same curves; lines of the log that are newer than the checkpoint make way. `on_error` "warn" (default): what
    fails later than at the start, a disk that is full or a logger that cannot be reached, is a warning and a sentence
    in `failures`; "raise" ends the training.

    Of several processes the first one measures. Nothing is done by the sanity check of the validation or under
    `fast_dev_run`. With WeightAveraging the raw weights are measured. Raises ConfigError for settings that cannot be
    used, no such module and strategies that shard the weights, LayerError for a layer that cannot be measured: before
    the first step.
    """

    def __init__(
        self,
        images: Tensor,
        foreground: Tensor,
        layer: str,
        folder: str | Path,
        *,
        module: str | None = None,
        every_n_epochs: int | None = 1,
        epochs: str | Iterable[int] | None = None,
        stage: int = 0,
        first_epoch: int = 0,
        first_step: int = 0,
        **options: Any,
    ) -> None:
        probe = LiveProbe(images, foreground, layer, folder, **options)
        when = When.of(every_n_epochs, None, epochs)
        self._follow(probe, module, when, (stage, first_epoch, first_step))
        self._own = True

    @classmethod
    def of(
        cls,
        probe: LiveProbe,
        *,
        module: str | None = None,
        every_n_epochs: int = 1,
        begins: tuple[int, int, int] = (0, 0, 0),
    ) -> "KnowledgeProbe":
        """A callback around a probe that exists: one may go through several stages; who made it closes it.

        begins: stage, first_epoch and first_step; the rest as above.
        """
        callback = cls.__new__(cls)
        callback._follow(probe, module, When.of(every_n_epochs), begins)
        return callback

    def _follow(self, probe: LiveProbe, module: str | None, when: When, begins: tuple[int, int, int]) -> None:
        self.probe = probe
        self._own = False  # made by this callback: nobody else goes on with it
        self.module = module
        self._when = when
        self._stage, self._first_epoch, self._first_step = begins
        self._place = LOGGED  # what is logged goes under it
        self._restored: Mapping[str, Any] | None = None
        self._running = False
        self._epoch = 0  # completed
        self._batches = 0  # of the running epoch

    @property
    def failures(self) -> tuple[str, ...]:
        """A sentence for each thing that failed."""
        return self.probe.failures

    @property
    def key(self) -> str:
        """Under which a checkpoint of Lightning's holds what the next observation needs."""
        return f"kdprobe knowledge probe of {self.module}: {self.probe.name}, {self.probe.layer}"

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            together = [each.probe for each in trainer.callbacks if isinstance(each, KnowledgeProbe)]
            self._place = place_in_logs(self.probe, together)
            trainer.callbacks = placed(trainer.callbacks, self, "raw")

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.fast_dev_run:
            return
        check_strategy(trainer.strategy)
        network = submodule(pl_module, self.module)
        epochs, inside = completed(trainer)
        self._epoch, self._batches = self._first_epoch + epochs, int(inside)
        restored, self._restored = self._restored, None
        in_first_process(trainer, lambda: self._start(trainer, network, restored, inside))
        self._running = True

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self._batches += 1

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # A resumed training may report the end of an epoch again of which it has trained nothing.
        if not self._running or not self._batches or not is_last_batch(trainer):
            return
        self._batches = 0
        self._epoch += 1
        if self._when.at_epoch(self._epoch):
            self._observe(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._running and not self._batches:
            self._observe(trainer, pl_module)
        if self._running and self._own:
            in_first_process(trainer, self.probe.close)
        self._running = False

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._running = False

    def on_save_checkpoint(
        self, trainer: Any, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if state := self.probe.state_dict(submodule(pl_module, self.module)):
            checkpoint[self.key] = state

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self._restored = checkpoint.get(self.key)

    def _start(
        self, trainer: L.Trainer, network: nn.Module, restored: Mapping[str, Any] | None, inside: bool
    ) -> None:
        probe = self.probe
        if restored is not None or probe.epoch is None:
            probe.start(network, restored)
            if restored is None and trainer.global_step > 0:
                warnings.warn(
                    f"The checkpoint holds nothing of the live probe of {probe.name}: its curves begin at epoch "
                    f"{self._epoch}, and its weight path is measured from there.",
                    UserWarning,
                    stacklevel=3,
                )
        if probe.epoch is not None and self._epoch < probe.epoch:
            raise ConfigError(
                f"The live probe of {probe.name} has seen epoch {probe.epoch} of another training, and this one begins "
                f"at epoch {self._epoch}; make a new KnowledgeProbe for it."
            )
        due = probe.epoch is None or (self._epoch > probe.epoch and self._when.at_epoch(self._epoch))
        if due and not inside:
            self._look(trainer, network)

    def _observe(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        network = submodule(pl_module, self.module)
        in_first_process(trainer, lambda: self._look(trainer, network))

    def _look(self, trainer: L.Trainer, network: nn.Module) -> None:
        if self.probe.epoch is not None and self._epoch <= self.probe.epoch:
            return
        step = trainer.global_step
        reading = self.probe.observe(
            network, epoch=self._epoch, step=self._first_step + step, stage=self._stage
        )
        if reading is not None:
            with self.probe.tolerated(f"Epoch {self._epoch} was not logged everywhere"):
                log_everywhere(trainer.loggers, reading, step, self._place)

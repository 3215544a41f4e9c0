"""The Lightning callback that keeps a network's weights at every epoch."""

from pathlib import Path
from typing import Any

import lightning.pytorch as L
from torch import nn

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore


class WeightSnapshots(L.Callback):
    """Saves the weights before the first step (epoch 0) and after every epoch (epoch k: after k epochs).

    Works in any Trainer with any LightningModule::

        Trainer(callbacks=[WeightSnapshots("run/snapshots", module="model")])

    `store_or_folder`: where to; a training that starts from the beginning needs an empty one, one that is
    resumed goes on in its own. `module`: which attribute of the LightningModule to save (dotted if deeper),
    so that the tensor names are the network's own; by default the LightningModule itself. `stage`,
    `first_epoch` and `first_step` let a training of several stages, each with its Trainer, count on.

    Parameters and buffers are saved; the training's numbers are the same with and without it. Nothing is
    written by the sanity check of the validation or under `fast_dev_run`. Raises SnapshotError if the folder
    holds the snapshots of another training, ConfigError if there is no such module.
    """

    def __init__(
        self,
        store_or_folder: SnapshotStore | str | Path,
        stage: int = 0,
        first_epoch: int = 0,
        *,
        first_step: int = 0,
        module: str | None = None,
    ) -> None:
        is_path = isinstance(store_or_folder, str | Path)
        self.store = SnapshotStore(store_or_folder) if is_path else store_or_folder
        self.stage = stage
        self.first_epoch = first_epoch
        self.first_step = first_step
        self.module = module

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self._writes(trainer):
            return
        self._network(pl_module)
        held = {snapshot.epoch for snapshot in self.store.list()}
        epoch = self.first_epoch + trainer.current_epoch
        if held and epoch == 0 and trainer.global_step == 0:
            raise SnapshotError(
                f"{self.store.folder} already holds {len(held)} snapshots of another training; "
                "give an empty folder."
            )
        if epoch not in held:
            self._save(trainer, pl_module, epoch)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._writes(trainer):
            self._save(trainer, pl_module, self.first_epoch + trainer.current_epoch + 1)

    @staticmethod
    def _writes(trainer: Any) -> bool:
        return trainer.is_global_zero and not trainer.fast_dev_run

    def _save(self, trainer: L.Trainer, pl_module: L.LightningModule, epoch: int) -> None:
        step = self.first_step + trainer.global_step
        self.store.save(self._network(pl_module), epoch=epoch, step=step, stage=self.stage)

    def _network(self, pl_module: L.LightningModule) -> nn.Module:
        if self.module is None:
            return pl_module
        try:
            return pl_module.get_submodule(self.module)
        except AttributeError as error:
            children = ", ".join(name for name, _ in pl_module.named_children()) or "none"
            raise ConfigError(
                f"{type(pl_module).__name__} has no module {self.module!r} to save; its modules: {children}."
            ) from error

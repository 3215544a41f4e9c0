"""Callbacks that watch a stage: accuracy and log lines after every epoch, progress after every batch."""

import time
from pathlib import Path

import lightning.pytorch as L
from tqdm import tqdm

from kdprobe.data import LabelledImages
from kdprobe.storage import append_jsonl
from kdprobe.training.accuracy import evaluate_accuracy
from kdprobe.training.module import StageModule


class EpochLog(L.Callback):
    """Keeps loss and test accuracy of every epoch of a whole training; one line per epoch goes to `path`."""

    def __init__(self, test_data: LabelledImages | None, path: Path | None) -> None:
        self.test_data = test_data
        self.path = path
        self.accuracy: dict[int, float | None] = {}
        self.loss: dict[int, float] = {}
        self._began = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self._began = time.perf_counter()
        if pl_module.plan.first_epoch == 0:
            self._note(pl_module, epoch=0, step=0, loss=None)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self.loss[pl_module.epoch] = pl_module.mean_loss
        step = pl_module.plan.first_step + trainer.global_step
        self._note(pl_module, epoch=pl_module.epoch, step=step, loss=pl_module.mean_loss)

    def _note(self, module: StageModule, *, epoch: int, step: int, loss: float | None) -> None:
        accuracy = None if self.test_data is None else evaluate_accuracy(module.student, self.test_data)
        self.accuracy[epoch] = accuracy
        if self.path is None:
            return
        line = {
            "epoch": epoch,
            "stage": module.plan.index,
            "step": step,
            "loss": loss,
            "accuracy": accuracy,
            "seconds": time.perf_counter() - self._began,
        }
        append_jsonl(self.path, line)


class Progress(L.Callback):
    """One bar over all batches of all stages, with the time left."""

    def __init__(self, label: str, batches: int) -> None:
        look = {"unit": "batch", "leave": False, "dynamic_ncols": True}
        self.bar = tqdm(total=batches, desc=label, disable=None, **look)  # None: no bar outside a terminal

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self.bar.set_postfix_str(f"epoch {pl_module.epoch}", refresh=False)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: StageModule, *_: object) -> None:
        self.bar.update()

    def close(self) -> None:
        self.bar.close()

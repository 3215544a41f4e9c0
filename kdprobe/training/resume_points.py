"""The callback that notes a resume point after every epoch, and the way of Lightning's checkpoint in and out."""

from collections.abc import Callable
from typing import Any

import lightning.pytorch as L
import torch
from lightning.pytorch.plugins import CheckpointIO

from kdprobe.errors import SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.storage.snapshot_record import snapshot_file
from kdprobe.training.module import StageModule
from kdprobe.training.resume import Resume, ResumePoint, snapshot_files
from kdprobe.training.watch import EpochLog, tolerated


class HeldCheckpoint(CheckpointIO):
    """Lightning's checkpoint stays in memory: it is kept, and read, in kdprobe's form, and never pickled."""

    def __init__(self, checkpoint: dict[str, Any] | None = None) -> None:
        self.checkpoint = checkpoint

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.checkpoint = checkpoint

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return self.take()

    def remove_checkpoint(self, path: Any) -> None:
        self.checkpoint = None

    def take(self) -> dict[str, Any]:
        """The checkpoint, which is no longer held."""
        taken, self.checkpoint = self.checkpoint, None
        return taken


class ResumePoints(L.Callback):
    """Notes how the training stands after every epoch. Comes last: what the other callbacks wrote is then on the disk.

    `held` must be a plugin of the same Trainer. `seconds` says how long the training has taken so far, `failed` after
    which epochs the weights could not be written; to `unnoted` go the epochs whose point could not be. Raises
    SnapshotError before the first step of the analysed stage if the weights that it starts from are not kept: its
    learning could never be measured.
    """

    def __init__(
        self,
        resume: Resume,
        held: HeldCheckpoint,
        store: SnapshotStore,
        log: EpochLog,
        *,
        seconds: Callable[[], float],
        failed: Callable[[], list[int]],
        unnoted: list[int],
        on_error: str,
    ) -> None:
        self._resume = resume
        self._held = held
        self._store = store
        self._log = log
        self._seconds = seconds
        self._failed = failed
        self._unnoted = unnoted
        self._on_error = on_error

    def on_train_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        plan, folder = pl_module.plan, self._store.folder
        if plan.stage.analysed and not (folder / snapshot_file(plan.first_epoch, plan.first_step)).exists():
            raise SnapshotError(
                f"The weights at the start of the stage {plan.stage.name!r} (epoch {plan.first_epoch}), from which its "
                f"learning is measured, could not be written to {folder}; free the disk, then start again."
            )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        trainer.save_checkpoint(self._resume.store.path)
        point = ResumePoint(
            stage=pl_module.plan.index,
            epoch=pl_module.epoch,
            step=pl_module.plan.first_step + trainer.global_step,
            seconds=self._seconds(),
            threads=torch.get_num_threads(),
            snapshots=[path.stem for path in snapshot_files(self._store.folder)],
            failed=self._failed(),
            lines=self._log.lines,
            lightning=self._held.take(),
        )
        with tolerated(self._on_error, point.epoch, self._unnoted):
            self._resume.save(point)

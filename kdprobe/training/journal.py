"""What a training writes: snapshots, log and resume points; and what it finds of one that was interrupted."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning.pytorch as L
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.errors import SnapshotError
from kdprobe.storage import SnapshotStore, load_state
from kdprobe.storage.snapshot_record import snapshot_file
from kdprobe.training.live_stages import LiveStages
from kdprobe.training.module import StagePlan
from kdprobe.training.resume import Resume, ResumePoint, remove_newer
from kdprobe.training.resume_points import HeldCheckpoint, ResumePoints
from kdprobe.training.settings import TrainingSettings
from kdprobe.training.snapshots import WeightSnapshots
from kdprobe.training.stored_connectors import StoredConnectors
from kdprobe.training.watch import EpochLog, mended_log, tolerated


class Journal:
    """The files of one training of several stages. Made when it starts: what is newer than its resume point goes."""

    def __init__(
        self,
        store: SnapshotStore,
        settings: TrainingSettings,
        test_data: LabelledImages | None,
        log_path: Path | None,
        resume: Resume | None,
        *,
        path_length: Sequence[str] = (),
        path_log: Path | None = None,
        live: LiveStages | None = None,
    ) -> None:
        self._began = time.perf_counter()
        self._store = store
        self._settings = settings
        self._resume = resume
        self._connectors = StoredConnectors.beside(store)
        point = None if resume is None else resume.point(store)
        if point is not None:
            remove_newer(point, store)
            if log_path is not None:
                mended_log(log_path, point.epoch, point.lines)
            if path_log is not None:
                mended_log(path_log, point.epoch)
        if resume is not None:
            self._connectors.go_back(point)
        self.so_far = point or ResumePoint.of_nothing()  #: how the training stood when it was interrupted
        self.log = EpochLog(test_data, log_path, self.so_far.lines, settings.on_error)
        self._path = {"path_length": [*path_length], "log_path": path_log} if path_length else {}
        self._live = live
        self._snapshots: list[WeightSnapshots] = []
        self._unwritten: list[int] = []  # epochs whose weights `restore` could not write
        self._unnoted: list[int] = []

    def seconds(self) -> float:
        """How long the training has taken so far, before an interruption too."""
        return self.so_far.seconds + time.perf_counter() - self._began

    def failed(self) -> list[int]:
        """Epochs after which the weights could not be written."""
        failed = [epoch for each in self._snapshots for epoch in each.failed_epochs]
        return [*self.so_far.failed, *self._unwritten, *failed]

    def unnoted(self) -> list[int]:
        """Epochs after which the log or the resume point could not be written, once for each."""
        return [*self.log.unwritten, *self._unnoted]

    def restore(self, model: nn.Module, epochs: list[int], peers: Mapping[str, nn.Module]) -> None:
        """The weights of an interrupted training into `model` and its `peers`; `epochs` are those of each stage."""
        point = self.so_far
        if point.lightning is None:
            return
        load_state(model, point.weights, source=str(self._resume.store.folder))
        for name, peer in peers.items():
            load_state(peer, point.state(f"peers.{name}"), source=str(self._resume.store.folder))
        if self._live is not None:
            self._live.restore(model, point.lightning)
        ends = point.epoch == sum(epochs[: point.stage + 1])
        if ends:
            self._connectors.complete(point)
        if ends and not self._kept(point.epoch, point.step):  # killed between resume point and last snapshot
            with tolerated(self._settings.on_error, point.epoch, self._unwritten):
                self._store.save(model, epoch=point.epoch, step=point.step, stage=point.stage)

    def retry(self, model: nn.Module, plan: StagePlan, steps_per_epoch: int) -> None:
        """Tries once more to write the weights at the end of a stage, if they are not there: later ones need them.

        Says nothing if the system refuses again. Raises SnapshotError for anything else.
        """
        epoch = plan.first_epoch + plan.epochs
        step = plan.first_step + plan.epochs * steps_per_epoch
        if not self._kept(epoch, step):
            try:
                self._store.save(model, epoch=epoch, step=step, stage=plan.index)
            except SnapshotError as error:
                if not isinstance(error.__cause__, OSError):
                    raise

    def callbacks(self, plan: StagePlan, connectors: bool) -> tuple[list[L.Callback], HeldCheckpoint]:
        """Those that write a stage down, and the checkpoint with which Lightning goes on inside it, if it does.

        `connectors`: whether the stage has any that are to be kept too.
        """
        when = {**self._settings.kept(), "on_error": self._settings.on_error, "first_step": plan.first_step}
        place = plan.index, plan.first_epoch
        snapshots = WeightSnapshots(self._store, *place, module="student", **when, **self._path)
        self._snapshots.append(snapshots)
        inside = self.so_far.epoch > plan.first_epoch
        held = HeldCheckpoint(self.so_far.lightning if inside else None)
        callbacks = [snapshots, self.log]
        if connectors:
            store = self._connectors.store(plan.index)
            callbacks.append(WeightSnapshots(store, *place, module="connectors", **when))
        if self._live is not None:
            callbacks.append(self._live.callback(plan))
        if self._resume is not None:
            callbacks.append(
                ResumePoints(
                    self._resume,
                    held,
                    self._store,
                    self.log,
                    seconds=self.seconds,
                    failed=self.failed,
                    unnoted=self._unnoted,
                    on_error=self._settings.on_error,
                )
            )
        return callbacks, held

    def not_kept(self, epochs: int, steps_per_epoch: int) -> tuple[int, ...]:
        """Which of the epochs 0 ... `epochs` have no snapshot."""
        return tuple(epoch for epoch in range(epochs + 1) if not self._kept(epoch, epoch * steps_per_epoch))

    def _kept(self, epoch: int, step: int) -> bool:
        return (self._store.folder / snapshot_file(epoch, step)).exists()

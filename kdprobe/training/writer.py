"""Which weights of a training are saved when, and what happens if the system refuses."""

import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import Snapshot, SnapshotStore, snapshot_bytes
from kdprobe.storage.atomic import fsync_folder, named_failure
from kdprobe.storage.snapshot_record import WEIGHTS
from kdprobe.training.when import When

ON_ERROR = ("warn", "raise")
NEWER = ("keep", "remove")


class SnapshotWriter:
    """Follows one training, which reports to it, and saves what is due; knows nothing of Lightning.

    `epoch` is the number of completed epochs, `inside` whether another one has begun. With `on_error` "warn",
    a save that the system refuses (disk full, no permission) gives one warning and a sentence in `failures`;
    with "raise", SnapshotError. Anything else that is wrong raises in both cases: a folder that holds other
    weights, a value that cannot be stored. `newer`: what becomes of snapshots that are newer than where a
    training goes on. `tell` gets one line on the disk that will be needed, before the training. Raises
    ConfigError for another `weights`, `on_error` or `newer`.
    """

    def __init__(
        self,
        store_or_folder: SnapshotStore | str | Path,
        when: When,
        *,
        tell: Callable[[str], object],
        stage: int = 0,
        weights: str = "raw",
        on_error: str = "warn",
        newer: str = "keep",
    ) -> None:
        choices = (("weights", weights, WEIGHTS), ("on_error", on_error, ON_ERROR), ("newer", newer, NEWER))
        for name, value, known in choices:
            if value not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {value!r}.")
        is_path = isinstance(store_or_folder, str | Path)
        self.store = SnapshotStore(store_or_folder) if is_path else store_or_folder
        self.when = when
        self.tell = tell
        self.stage = stage
        self.weights = weights
        self.on_error = on_error
        self.newer = newer
        self.failures: tuple[str, ...] = ()
        self.failed_epochs: tuple[int, ...] = ()
        self.epoch = 0
        self.inside = False
        self._asked = 0  # the last step for which `step_done` or `epoch_done` was asked
        self._tried: tuple[int, int] | None = None  # epoch and step of the last save
        self._whole: dict[int, Snapshot] = {}  # by epoch, what the folder held at the start

    def begins(self, epoch: int, step: int, *, inside: bool = False) -> None:
        """The training starts, or goes on, after `epoch` epochs and `step` steps."""
        self.epoch, self.inside, self._asked, self._tried = epoch, inside, step, None

    def start(
        self, model: nn.Module | Mapping[str, Tensor], step: int, planned: int | None, new: bool
    ) -> None:
        """Saves the weights at the start, if that is due. `planned`: snapshots to come; None: not known.

        Raises SnapshotError if `new`, a training from the beginning, and the folder holds snapshots; with
        `on_error` "raise" also if the disk has no room for the planned ones (else a warning).
        """
        held = self.store.list()
        if held and new:
            raise SnapshotError(
                f"{self.store.folder} already holds {len(held)} snapshots of another training; "
                "give an empty folder."
            )
        held = self._without_newer(held, step)
        self._whole = {snapshot.epoch: snapshot for snapshot in held if not snapshot.partial}
        there = self.epoch in self._whole
        due = not held or not (there or self.inside or not self.when.at_epoch(self.epoch))
        self._check_room(model, planned, due)
        if due:
            self.write(model, step)

    def epoch_begins(self) -> None:
        self.inside = True

    def step_done(self, step: int) -> bool:
        """Whether the weights after `step` optimiser steps are due, inside an epoch."""
        due = self.when.at_step(self._asked, step)
        self._asked = step
        return due

    def epoch_done(self, step: int) -> bool:
        """An epoch is completed; whether its weights are due."""
        self.epoch += 1
        self.inside = False
        return self.step_done(step) or self.when.at_epoch(self.epoch)

    def write(self, model: nn.Module | Mapping[str, Tensor], step: int, *, here: bool = True) -> None:
        """Saves `model` as the present state, unless tried already; not `here`: another process does."""
        if self._tried == (self.epoch, step):
            return
        try:
            if here:
                self._check_place(step)
                numbers = {"epoch": self.epoch, "step": step, "stage": self.stage}
                self.store.save(model, **numbers, partial=self.inside, weights=self.weights)
        except SnapshotError as error:
            self.refused(error)
            self.failed_epochs += (self.epoch,)
        self._tried = (self.epoch, step)

    def attempt(self, action: Callable[[], None]) -> None:
        """Does `action`; if the system refuses it, as `refused` says."""
        try:
            action()
        except SnapshotError as error:
            self.refused(error)

    def refused(self, error: SnapshotError) -> None:
        """Something could not be written: raises `error`, or notes it with a warning, as `on_error` says."""
        if self.on_error == "raise" or not isinstance(error.__cause__, OSError):
            raise error
        self.note(f"{error} The training goes on.")

    def note(self, failure: str) -> None:
        """Keeps the sentence `failure`, and shows it as a warning."""
        self.failures += (failure,)
        warnings.warn(failure, UserWarning, stacklevel=4)

    def _check_place(self, step: int) -> None:
        there = self._whole.get(self.epoch)
        if not self.inside and there is not None and there.step != step:
            raise SnapshotError(
                f"{there.path} exists, but here epoch {self.epoch} ends with step {step}; "
                "save into an empty folder, or remove the old run first."
            )

    def _without_newer(self, held: list[Snapshot], step: int) -> list[Snapshot]:
        newer = [
            snapshot
            for snapshot in held
            if snapshot.epoch > self.epoch
            or (snapshot.epoch == self.epoch and snapshot.partial and snapshot.step > step)
        ]
        if self.newer == "keep":
            met = [s for s in newer if not s.partial or self.when.at_step(s.step - 1, s.step)]
            if met:
                warnings.warn(
                    f"Of the snapshots in {self.store.folder}, {len(met)} are newer than step {step}, where "
                    "the training goes on: it will stop if its weights differ; with "
                    'newer="remove" they make way.',
                    UserWarning,
                    stacklevel=5,
                )
            return held
        for snapshot in newer:
            with named_failure("remove", snapshot.path):
                snapshot.path.unlink()
        if newer:
            with named_failure("remove files in", self.store.folder):
                fsync_folder(self.store.folder)
        return [snapshot for snapshot in held if snapshot not in newer]

    def _check_room(self, model: nn.Module | Mapping[str, Tensor], planned: int | None, due: bool) -> None:
        each = snapshot_bytes(model, self.store.include, self.store.exclude)
        count = (planned or 0) + due
        folder = self.store.folder.resolve()
        try:
            while not folder.exists():
                folder = folder.parent
            free = shutil.disk_usage(folder).free
        except OSError:  # not known; the save itself will say more
            free = None
        if free is None or count * each <= free:
            if count or planned is None:
                self.tell(self._forecast(each, None if planned is None else count, free))
            return
        sentence = (
            f"{count} snapshots need {count * each / 1e9:.3g} GB, but only {free / 1e9:.3g} GB are free in "
            f"{self.store.folder}; free some, or keep fewer."
        )
        if self.on_error == "raise":
            raise SnapshotError(sentence)
        warnings.warn(sentence, UserWarning, stacklevel=4)

    def _forecast(self, each: int, count: int | None, free: int | None) -> str:
        if count is None:
            need = f"The snapshots, of a number not known yet, will need {each / 1e9:.3g} GB each"
        else:
            need = f"{count} snapshots will need {count * each / 1e9:.3g} GB"
        known = "how much is free is not known" if free is None else f"{free / 1e9:.3g} GB are free"
        return f"{need} in {self.store.folder}; {known}."

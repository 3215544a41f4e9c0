"""Callbacks that watch a stage: accuracy and log lines after every epoch, resume points, progress."""

import json
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as L
from tqdm import tqdm

from kdprobe.data import LabelledImages
from kdprobe.errors import SnapshotError
from kdprobe.storage import append_jsonl, write_atomically
from kdprobe.training.accuracy import evaluate_accuracy
from kdprobe.training.foreground import ForegroundOnly
from kdprobe.training.module import StageModule


class EpochLog(L.Callback):
    """Keeps loss and test accuracy of every epoch of a whole training; one line per epoch goes to `path`.

    `lines` are those of the epochs that were trained before an interruption. With `on_error` "warn", a log that
    cannot be written gives a warning, its epoch goes to `unwritten`, and the training goes on.
    """

    def __init__(
        self,
        test_data: LabelledImages | None,
        path: Path | None,
        lines: Iterable[dict[str, Any]] = (),
        on_error: str = "raise",
    ) -> None:
        self.test_data = test_data
        self.path = path
        self.lines = list(lines)
        self.on_error = on_error
        self.unwritten: list[int] = []
        self._began = 0.0

    @property
    def accuracy(self) -> dict[int, float | None]:
        return {line["epoch"]: line["accuracy"] for line in self.lines}

    @property
    def loss(self) -> dict[int, float]:
        return {line["epoch"]: line["loss"] for line in self.lines if line["loss"] is not None}

    def on_train_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self._began = time.perf_counter()
        if not self.lines:
            self._note(pl_module, epoch=0, step=0, loss=None)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        step = pl_module.plan.first_step + trainer.global_step
        self._note(pl_module, epoch=pl_module.epoch, step=step, loss=pl_module.mean_loss)

    def _note(self, module: StageModule, *, epoch: int, step: int, loss: float | None) -> None:
        line = {
            "epoch": epoch,
            "stage": module.plan.index,
            "step": step,
            "loss": loss,
            "accuracy": self._accuracy(module),
            "seconds": time.perf_counter() - self._began,
        }
        self.lines.append(line)
        if self.path is not None:
            with tolerated(self.on_error, epoch, self.unwritten):
                append_jsonl(self.path, line)

    def _accuracy(self, module: StageModule) -> float | None:
        """On images shown as the running stage shows them to the student."""
        if self.test_data is None:
            return None
        whole = module.plan.stage.student_inputs == "image"
        return evaluate_accuracy(module.student, self.test_data if whole else ForegroundOnly(self.test_data))


@contextmanager
def tolerated(on_error: str, epoch: int, failed: list[int]) -> Iterator[None]:
    """With "warn", a file inside that the system refuses gives a warning, and `epoch` goes to `failed`; with "raise",
    the SnapshotError."""
    try:
        yield
    except SnapshotError as error:
        if on_error == "raise" or not isinstance(error.__cause__, OSError):
            raise
        failed.append(epoch)
        warnings.warn(f"After epoch {epoch}: {error} The training goes on.", UserWarning, stacklevel=3)


def mended_log(path: Path, last: int, lines: Iterable[dict[str, Any]] = ()) -> None:
    """Makes the log at `path` end at epoch `last`: later lines and torn ones go, those of `lines` are put in."""
    there = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    kept = [line for line in map(_parsed, there) if line is not None and line["epoch"] <= last]
    kept += [line for line in lines if line not in kept]
    kept.sort(key=lambda line: line["epoch"])
    wanted = [json.dumps(line, sort_keys=True).encode("ascii") + b"\n" for line in kept]
    if wanted != there:
        write_atomically(path, b"".join(wanted))


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and type(values.get("epoch")) is int else None


class Progress(L.Callback):
    """One bar over all batches of all stages, with the time left; `done` of them before an interruption."""

    def __init__(self, label: str, batches: int, done: int = 0) -> None:
        look = {"unit": "batch", "leave": False, "dynamic_ncols": True}
        hidden = None  # unless there is a terminal
        self.bar = tqdm(total=batches, initial=done, desc=label, disable=hidden, **look)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: StageModule) -> None:
        self.bar.set_postfix_str(f"epoch {pl_module.epoch}", refresh=False)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: StageModule, *_: object) -> None:
        self.bar.update()

    def close(self) -> None:
        self.bar.close()

"""What a run will cost, said before it starts: seconds tried out on the spot, bytes counted."""

import copy
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.errors import ConfigError
from kdprobe.estimator.solvers.deviations import REPLICATES
from kdprobe.storage import snapshot_bytes
from kdprobe.training import TrainingSettings

_TRIAL_STEPS = 6


@dataclass(frozen=True)
class Forecast:
    """Expected wall time and disk space."""

    training_seconds: float
    measuring_seconds: float
    disk_bytes: int
    free_bytes: int

    def checked(self) -> "Forecast":
        """Itself. Raises ConfigError if there is not enough disk."""
        if self.disk_bytes > self.free_bytes:
            raise ConfigError(
                f"{self.sentence()} There is not enough of it: free some, or choose another --out."
            )
        return self

    def sentence(self) -> str:
        total = self.training_seconds + self.measuring_seconds
        return (
            f"About {duration(total)} ahead: {duration(self.training_seconds)} of training and "
            f"{duration(self.measuring_seconds)} of measuring on {torch.get_num_threads()} threads; "
            f"{size(self.disk_bytes)} of disk ({size(self.free_bytes)} free)."
        )


def seconds_per_epoch(
    model: nn.Module, data: LabelledImages, test: LabelledImages, settings: TrainingSettings
) -> float:
    """Wall time of one epoch on labels with the accuracy after it, from a few steps of a copy of `model`.

    Not more of them than an epoch has; where that is one, the first one, which is slower, must do.
    """
    trial = copy.deepcopy(model).train()
    where = next(trial.parameters()).device
    rows, labels = data.normalised.on(where), data.labels[: settings.batch_size].to(where)
    steps = -(-len(data) // settings.batch_size)
    tried = min(_TRIAL_STEPS, steps)
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        if tried > 1:
            _step(trial, rows[: len(labels)], labels)
        began = time.perf_counter()
        for _ in range(tried):
            _step(trial, rows[: len(labels)], labels)
        step = (time.perf_counter() - began) / tried
    return step * (steps + len(test) / len(labels) / 3)


def _step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    model.zero_grad()
    nn.functional.cross_entropy(model(images), labels).backward()


def resume_bytes(model: nn.Module, settings: TrainingSettings) -> int:
    """Size of what is kept of a running training to go on: two generations, and a third while it is written."""
    moments = 2 if settings.optimiser == "adamw" else 1 if settings.momentum else 0
    learned = sum(p.numel() * p.element_size() for p in model.parameters())
    return 3 * (snapshot_bytes(model) + moments * learned)


def map_bytes(grid: int) -> int:
    """Size of one entropy map with its standard errors (float64) and deviations (float32)."""
    return grid**2 * (2 * 8 + 4 * REPLICATES) + 2_000


def free_bytes(folder: Path) -> int:
    """Free disk space where `folder` is or will be."""
    folder = Path(folder).resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def duration(seconds: float) -> str:
    """In words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """In words: 310 kB, 24 MB, 1.5 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}" if count < 10 * scale else f"{count / scale:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"

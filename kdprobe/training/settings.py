"""How long and with what a network is trained."""

import math
from dataclasses import dataclass
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.training.when import When


@dataclass(frozen=True)
class TrainingSettings:
    """The settings that hold for all stages of a recipe. Raises ConfigError if one cannot be used.

    Args:
        epochs: of the stages that a recipe counts in `epochs`.
        classifier_epochs: of the stages that a recipe counts in `classifier_epochs`.
        batch_size: images of one step.
        learning_rate: the highest one, where the schedule changes it.
        student_learning_rate: the same of the students; null: theirs is matched to the baseline's. In an experiment.
        weight_decay: of the optimiser.
        optimiser: adamw or sgd.
        schedule: one_cycle (over each stage), constant, or log_decade (down to a tenth over each stage, in equal
            factors from epoch to epoch, as in the released code).
        momentum: of sgd.
        flips: show every image, in every epoch, mirrored left to right with probability one half.
        device: cpu, cuda or auto (cuda where there is one).
        snapshots: which epochs are kept: every n-th (1: all), those of a list, or released (the published code's list);
            the first and the last of each stage always are.
        path_length: write down, epoch by epoch, how far the weights moved optimiser step by step (measure.path steps).
        on_error: what a snapshot that cannot be written does (disk full): warn (and go on) or raise.
    """

    epochs: int = 6
    classifier_epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 3e-3
    student_learning_rate: float | None = None
    weight_decay: float = 1e-2
    optimiser: str = "adamw"
    schedule: str = "one_cycle"
    momentum: float = 0.9
    flips: bool = False
    device: str = "auto"
    snapshots: int | list[int] | str = 1
    path_length: bool = False
    on_error: str = "warn"

    def __post_init__(self) -> None:
        for name in ("epochs", "classifier_epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name} must be a whole number from 1 on, got {value!r}.")
        for name, lowest in (
            ("learning_rate", "above 0"),
            ("student_learning_rate", "above 0"),
            ("weight_decay", "0 or more"),
            ("momentum", "0 or more"),
        ):
            value = getattr(self, name)
            if value is None and name == "student_learning_rate":
                continue
            usable = isinstance(value, int | float) and math.isfinite(value)
            if not usable or value < 0 or (value == 0 and lowest == "above 0"):
                raise ConfigError(f"{name} must be a number, {lowest}, got {value!r}.")
        if self.momentum >= 1:
            raise ConfigError(f"momentum must be below 1, got {self.momentum!r}.")
        choices = {
            "optimiser": ("adamw", "sgd"),
            "schedule": ("one_cycle", "constant", "log_decade"),
            "device": ("auto", "cpu", "cuda"),
            "on_error": ("warn", "raise"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}.")

        try:
            known = When.of(**self.kept()) if self.snapshots is not None else None
        except ConfigError:
            known = None
        if known is None:
            raise ConfigError(
                "snapshots must be a whole number from 1 on, a list of epochs from 0 on, or released, got "
                f"{self.snapshots!r}."
            )

    def kept(self) -> dict[str, Any]:
        """`snapshots` as the options of WeightSnapshots."""
        return {"every_n_epochs" if isinstance(self.snapshots, int) else "epochs": self.snapshots}

    def kept_epochs(self, first: int, last: int) -> list[int]:
        """Those of the epochs `first` ... `last` of a stage whose weights are kept; both ends are."""
        when = When.of(**self.kept())
        return [epoch for epoch in range(first, last + 1) if epoch in (first, last) or when.at_epoch(epoch)]

    def stage_epochs(self, epochs: str | int) -> int:
        """The number that a recipe's stage means by `epochs` (a number, or the name of a setting)."""
        return getattr(self, epochs) if isinstance(epochs, str) else epochs

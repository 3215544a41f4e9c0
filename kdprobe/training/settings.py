"""How long and with what a network is trained."""

import math
from dataclasses import dataclass

from kdprobe.errors import ConfigError


@dataclass(frozen=True)
class TrainingSettings:
    """The settings that hold for all stages of a recipe. Raises ConfigError if one cannot be used.

    Args:
        epochs: of the stages that a recipe counts in `epochs`.
        classifier_epochs: of the stages that a recipe counts in `classifier_epochs`.
        batch_size: images of one step.
        learning_rate: the highest one, where the schedule changes it.
        weight_decay: of the optimiser.
        optimiser: adamw or sgd.
        schedule: one_cycle (over each stage) or constant.
        momentum: of sgd.
        flips: show every image, in every epoch, mirrored left to right with probability one half.
        device: cpu, cuda or auto (cuda where there is one).
    """

    epochs: int = 6
    classifier_epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    optimiser: str = "adamw"
    schedule: str = "one_cycle"
    momentum: float = 0.9
    flips: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "classifier_epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name} must be a whole number from 1 on, got {value!r}.")
        for name, lowest in (
            ("learning_rate", "above 0"),
            ("weight_decay", "0 or more"),
            ("momentum", "0 or more"),
        ):
            value = getattr(self, name)
            usable = isinstance(value, int | float) and math.isfinite(value)
            if not usable or value < 0 or (value == 0 and lowest == "above 0"):
                raise ConfigError(f"{name} must be a number, {lowest}, got {value!r}.")
        if self.momentum >= 1:
            raise ConfigError(f"momentum must be below 1, got {self.momentum!r}.")
        choices = {
            "optimiser": ("adamw", "sgd"),
            "schedule": ("one_cycle", "constant"),
            "device": ("auto", "cpu", "cuda"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}.")

    def stage_epochs(self, epochs: str | int) -> int:
        """The number that a recipe's stage means by `epochs` (a number, or the name of a setting)."""
        return getattr(self, epochs) if isinstance(epochs, str) else epochs

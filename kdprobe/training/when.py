"""At which epochs and steps of a training its weights are kept."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from kdprobe.errors import ConfigError

#: lists of epochs by name; released: those at which the code released with arXiv 2003.03622 measures
PRESETS: dict[str, tuple[int, ...]] = {
    "released": (
        *(0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 70, 90, 110, 130, 150),
        *(170, 190, 240, 280, 320, 360, 400),
    ),
}


@dataclass(frozen=True)
class When:
    """Every so many epochs, or after the epochs of a list; and, if wanted, every so many optimiser steps.

    The weights at the start and at the end of a training are kept beside those, always. Raises ConfigError
    for numbers below 1, an unknown name of a list, and for both kinds of epochs at once.
    """

    every_n_epochs: int | None = 1  #: None: none but the first and the last
    every_n_steps: int | None = None
    epochs: frozenset[int] | None = None  #: counted from 0, the initial weights; in place of every_n_epochs

    @classmethod
    def of(
        cls,
        every_n_epochs: int | None = 1,
        every_n_steps: int | None = None,
        epochs: str | Iterable[int] | None = None,
    ) -> "When":
        """Checks what a user has given; `epochs` is a list, or the name of one in PRESETS."""
        for name, value in (("every_n_epochs", every_n_epochs), ("every_n_steps", every_n_steps)):
            if value is not None and not _whole(value, lowest=1):
                raise ConfigError(f"{name} must be a whole number from 1 on, or None, got {value!r}.")
        if epochs is None:
            return cls(every_n_epochs, every_n_steps)
        if every_n_epochs not in (None, 1):
            raise ConfigError("epochs takes the place of every_n_epochs; give one of the two.")
        if isinstance(epochs, str):
            if epochs not in PRESETS:
                raise ConfigError(
                    f"epochs must be a list of numbers or one of {', '.join(PRESETS)}, got {epochs!r}."
                )
            epochs = PRESETS[epochs]
        if not isinstance(epochs, Iterable):
            raise ConfigError(f"epochs must be a list of whole numbers from 0 on, got {epochs!r}.")
        epochs = tuple(epochs)
        for epoch in epochs:
            if not _whole(epoch, lowest=0):
                raise ConfigError(f"epochs must be whole numbers from 0 on, got {epoch!r} among them.")
        return cls(None, every_n_steps, frozenset(epochs))

    def at_epoch(self, epoch: int) -> bool:
        """Whether the weights after `epoch` epochs are kept."""
        if self.epochs is not None:
            return epoch in self.epochs
        return self.every_n_epochs is not None and epoch % self.every_n_epochs == 0

    def at_step(self, before: int, step: int) -> bool:
        """Whether a multiple of every_n_steps was reached after `before` steps and by `step`."""
        every = self.every_n_steps
        return every is not None and step // every > before // every

    def planned(
        self,
        *,
        epoch: int,
        step: int,
        steps_per_epoch: float,
        epochs: float,
        steps: float,
        first_epoch: int = 0,
        first_step: int = 0,
    ) -> int | None:
        """How many snapshots follow after `epoch` and `step`, counted from first_epoch and first_step.

        `epochs` and `steps` limit the training, the shorter one ends it; what is not known or has no limit is
        infinite. None if the number of epochs is not known then.
        """
        if math.isfinite(steps_per_epoch):
            steps = min(steps, epochs * steps_per_epoch)
            epochs = min(epochs, steps // steps_per_epoch)
        if not math.isfinite(epochs):
            return None
        last = first_epoch + int(epochs)
        kept = [each for each in range(epoch + 1, last + 1) if self.at_epoch(each)]
        if not math.isfinite(steps):
            return len({*kept, last})
        places = {first_step + (each - first_epoch) * steps_per_epoch for each in kept}
        if self.every_n_steps is not None:
            every, end = self.every_n_steps, first_step + int(steps)
            places |= set(range((step // every + 1) * every, end + 1, every))
        return len(places | {first_step + steps})


def _whole(value: object, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest

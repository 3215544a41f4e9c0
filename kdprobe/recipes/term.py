"""One summand of a stage's loss."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kdprobe.objectives import find_objective, objective_inputs
from kdprobe.records import Record


@dataclass(frozen=True)
class Term(Record):
    """One summand of a stage's loss, and in which epochs of the stage it counts.

    `warm_up`, `from_` (key `from`) and `until` are epochs of the stage: a whole number (int) is taken as it stands, a
    float is a share 0 ... 1 of the stage's epochs.
    """

    ALWAYS = ("objective", "weight", "options")

    objective: str  #: name in kdprobe.objectives.OBJECTIVES, or file.py:function
    weight: float = 1.0  #: > 0
    options: dict[str, Any] = field(default_factory=dict)  #: further arguments of the objective
    warm_up: int | float = 0  #: epochs over which the weight rises linearly
    from_: int | float = 0  #: the term counts after this epoch ...
    until: int | float = 1.0  #: ... up to and including this one
    decay: float = 1.0  #: 0 ... 1, what is left of the weight from one epoch to the next

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Which of kdprobe.objectives.INPUTS the objective takes. Raises ConfigError if it cannot be used.

        Looked up once: finding an objective of the user's own executes its file.
        """
        return objective_inputs(find_objective(self.objective), self.options)

    def weight_at(self, epoch: int, epochs: int) -> float:
        """The weight in `epoch`, counted from 1, of a stage of `epochs` epochs; 0.0 outside the term's span.

        It is weight * min(epoch / warm_up, 1) * decay ** (epoch - 1): rise and decay are counted from the stage's first
        epoch.
        """
        if not epoch_number(self.from_, epochs) < epoch <= epoch_number(self.until, epochs):
            return 0.0
        warm_up = epoch_number(self.warm_up, epochs)
        weight = self.weight * min(epoch / warm_up, 1.0) if warm_up > 0 else self.weight
        return weight * self.decay ** (epoch - 1)


def epoch_number(value: int | float, epochs: int) -> int | float:
    """`value` as an epoch of `epochs`: an int is one already, a float is a share of them.

    Not rounded to whole epochs, only to nine digits, so that 0.29 of 100 is 29 and not a little less.
    """
    return round(value * epochs, 9) if isinstance(value, float) else value

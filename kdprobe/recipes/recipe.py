"""What a distillation method is: stages, each with its objective, its tap and what learns."""

from dataclasses import asdict, dataclass, field
from typing import Any

from kdprobe.objectives import find_objective, objective_inputs
from kdprobe.records import Record

#: stands in a recipe for the layer under study, which the experiment names
LAYER = "{layer}"
LEARNS = ("all", "below_tap", "above_tap")
EPOCHS = ("epochs", "classifier_epochs")


@dataclass(frozen=True)
class Term(Record):
    """One summand of a stage's loss."""

    objective: str  #: name in kdprobe.objectives.OBJECTIVES, or file.py:function
    weight: float = 1.0  #: > 0
    options: dict[str, Any] = field(default_factory=dict)  #: further arguments of the objective

    @property
    def inputs(self) -> tuple[str, ...]:
        """Which of kdprobe.objectives.INPUTS the objective takes. Raises ConfigError if it cannot be used."""
        return objective_inputs(find_objective(self.objective), self.options)


@dataclass(frozen=True)
class Stage(Record):
    """A stretch of training with one loss."""

    name: str
    objective: tuple[Term, ...]  #: the loss is the weighted sum of these
    tap: str | None = None  #: layer whose value is the "feature" of student and teacher
    learns: str = "all"  #: "all", or only what lies "below_tap" or "above_tap"; the rest is frozen
    epochs: str | int = "epochs"  #: a number, or the name of the training setting that holds it
    teacher: bool = False  #: whether the objective looks at a teacher
    analysed: bool = False  #: whether the concepts are measured on this stage's snapshots

    @property
    def inputs(self) -> frozenset[str]:
        """Which of kdprobe.objectives.INPUTS the stage's loss takes."""
        return frozenset(name for term in self.objective for name in term.inputs)


@dataclass(frozen=True)
class Recipe(Record):
    """A distillation method."""

    name: str
    title: str
    paper: str  #: short citation
    stages: tuple[Stage, ...]

    @property
    def teacher(self) -> bool:
        """Whether any stage needs a teacher."""
        return any(stage.teacher for stage in self.stages)

    @property
    def analysed_stage(self) -> int:
        """Index of the one stage on whose snapshots the concepts are measured."""
        return next(index for index, stage in enumerate(self.stages) if stage.analysed)

    def describe(self) -> dict[str, Any]:
        """The whole recipe as plain dictionaries, lists, strings and numbers (goes into run.json)."""
        described = asdict(self)
        described["stages"] = [
            {**stage, "objective": list(stage["objective"])} for stage in described["stages"]
        ]
        return described

"""What a distillation method is: stages, each with its objective, its teachers and what learns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kdprobe.recipes.described import described
from kdprobe.recipes.stage import USUAL_TEACHERS, Stage
from kdprobe.records import Record

#: what `kdprobe methods` groups by
KINDS = ("labels", "logits", "features", "relations", "teachers", "online")


@dataclass(frozen=True)
class Network(Record):
    """A network that is trained before the student, to teach it or another one of these."""

    name: str
    stages: tuple[Stage, ...]
    model: str = "student"  #: MODELS, or a name or file.py:function as for the experiment's model
    model_options: dict[str, Any] = field(default_factory=dict)
    initial: str | int = "learner"  #: initial weights: INITIAL, or the number of another draw of the seed
    inputs: str = "image"  #: the images on which its accuracy is measured: IMAGES

    @property
    def sources(self) -> tuple[str, ...]:
        """The networks that teach it, each once, in the order of the stages."""
        return _sources(self.stages)


@dataclass(frozen=True)
class Recipe(Record):
    """A distillation method. `kind` and what follows it explain; they decide nothing and are not compared."""

    name: str
    title: str
    paper: str  #: short citation
    stages: tuple[Stage, ...]
    networks: tuple[Network, ...] = ()  #: trained before the student, in this order
    kind: str = field(default="", compare=False)  #: one of KINDS; "" if a user's own recipe does not say
    formula: str = field(default="", compare=False)
    #: by dotted name (objective.option, teacher.epoch, ...): where a number comes from
    provenance: dict[str, str] | None = field(default=None, compare=False)
    unchecked: tuple[str, ...] = field(default=(), compare=False)  #: what could not be checked
    #: where kdprobe does otherwise than paper or public code, and why
    departures: tuple[str, ...] = field(default=(), compare=False)

    @property
    def teacher(self) -> bool:
        """Whether any stage of the student itself needs a teacher, of whatever source."""
        return any(stage.teacher for stage in self.stages)

    @property
    def sources(self) -> tuple[str, ...]:
        """All that teach: the networks' and the student's stages' sources, each once. The recipe's own are in it."""
        return _sources([*(s for network in self.networks for s in network.stages), *self.stages])

    @property
    def analysed_stage(self) -> int:
        """Index of the one stage on whose snapshots the concepts are measured."""
        return next(index for index, stage in enumerate(self.stages) if stage.analysed)

    def describe(self) -> dict[str, Any]:
        """All that decides the training as plain dictionaries, lists, strings and numbers (goes into run.json)."""
        return _without_usual_teachers(described(self))


def _sources(stages: Iterable[Stage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source.network for stage in stages for source in stage.teachers))


def _without_usual_teachers(content: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the teachers of each stage where `teacher: true` says it already."""
    for stage in [*content["stages"], *(s for each in content.get("networks", ()) for s in each["stages"])]:
        if stage.get("teachers") == described(USUAL_TEACHERS):
            del stage["teachers"]
    return content

"""A stretch of training with one loss: who teaches, what learns, which images."""

from dataclasses import dataclass, field
from typing import Any

from kdprobe.recipes.layers import Features
from kdprobe.recipes.term import Term
from kdprobe.records import Record

LEARNS = ("all", "below_tap", "above_tap")
EPOCHS = ("epochs", "classifier_epochs")
SEARCHES = ("equal_interval", "greedy")
COMBINE = ("logits", "probabilities")
IMAGES = ("image", "foreground")
BATCHES = ("shuffled", "class_pairs")
ENSEMBLES = ("naive", "linear", "min_logit", "general")
TEACHER_MODES = ("eval", "train")
INITIAL = ("learner", "teacher")
#: in the place of an architecture's name: that of the student, or of the teacher
MODELS = ("student", "teacher")


@dataclass(frozen=True)
class Source(Record):
    """A network that teaches, and at which of its epochs."""

    ALWAYS = ("network",)

    network: str = "teacher"  #: or baseline, a network of the recipe, or the path of a folder or weight file
    epoch: str | int | float = "last"  #: "last", a whole number, or a share (float) of the network's epochs
    anchors: int | None = None  #: the stage runs through that many of its kept snapshots, the final one last
    search: str = "equal_interval"  #: how the anchors are chosen: SEARCHES
    delta: float | None = None  #: threshold of the greedy search


#: who teaches where a recipe says `teacher: true`
USUAL_TEACHERS = (Source(),)


@dataclass(frozen=True)
class Peer(Record):
    """A network that is trained together with the student."""

    name: str
    model: str = "student"  #: MODELS, or a name or file.py:function as for the experiment's model
    model_options: dict[str, Any] = field(default_factory=dict)
    initial: str | int = "learner"  #: initial weights: INITIAL, or the number of another draw of the seed


@dataclass(frozen=True)
class Stage(Record):
    """A stretch of training with one loss.

    `teachers` and `teacher` say the same thing twice, so that either may be given: ``teacher=True`` alone is the
    experiment's teacher with its final weights.
    """

    ALWAYS = ("name", "objective", "tap", "learns", "epochs", "teacher", "analysed")

    name: str
    objective: tuple[Term, ...]  #: the loss is the weighted sum of these
    tap: str | None = None  #: layer, or role of one, whose value is the "feature" of student and teacher
    learns: str = "all"  #: "all", or only what lies "below_tap" or "above_tap"; the rest is frozen
    epochs: str | int = "epochs"  #: a number, or the name of the training setting that holds it
    teacher: bool = False  #: whether the objective looks at a teacher
    analysed: bool = False  #: whether the concepts are measured on this stage's snapshots
    teachers: tuple[Source, ...] = ()  #: who teaches; more than one are an ensemble
    combine: str = "logits"  #: what is averaged over an ensemble: COMBINE
    student_inputs: str = "image"  #: what the student sees (key `inputs`): IMAGES
    teacher_inputs: str = "image"  #: what the teachers see: IMAGES
    batches: str = "shuffled"  #: BATCHES
    view: bool = False  #: whether every image comes with a second, augmented view
    peers: tuple[Peer, ...] = ()  #: networks trained together with the student by the same terms
    ensemble: str = "naive"  #: what the peers' `ensemble_logits` are: ENSEMBLES
    features: Features | None = None  #: layers whose values are the "features" of student and teacher
    teacher_mode: str = "eval"  #: TEACHER_MODES; train: its BatchNorms take the statistics of the batch

    def __post_init__(self) -> None:
        if self.teacher and not self.teachers:
            object.__setattr__(self, "teachers", USUAL_TEACHERS)
        object.__setattr__(self, "teacher", bool(self.teachers))

    @property
    def inputs(self) -> frozenset[str]:
        """Which of kdprobe.objectives.INPUTS the stage's loss takes in any epoch."""
        return frozenset(name for term in self.objective for name in term.inputs)

    @property
    def student_layers(self) -> tuple[str, ...]:
        """The layers and roles that it names for those that learn."""
        tap = () if self.tap is None else (self.tap,)
        return tap if self.features is None else (*tap, *self.features.student)

    @property
    def teacher_is_fixed(self) -> bool:
        """Whether what a teacher says of an image can be kept for later epochs: it does not depend on the other images
        of the batch. Input gradients, as large as the images, are asked anew."""
        return self.teacher_mode == "eval" and "teacher_input_gradient" not in self.inputs

    def inputs_at(self, epoch: int, epochs: int) -> frozenset[str]:
        """Which of them it takes in `epoch`, counted from 1, when the stage has `epochs` epochs."""
        counting = (term for term in self.objective if term.weight_at(epoch, epochs) > 0)
        return frozenset(name for term in counting for name in term.inputs)

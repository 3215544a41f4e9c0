"""What a step of a recipe costs, by counting passes."""

from typing import NamedTuple

from kdprobe.recipes.recipe import Recipe
from kdprobe.recipes.stage import Stage

#: passes of plain training: one forward, and a backward that counts two
PLAIN = 3
#: passes of a backward
BACKWARD = 2
#: length of a stage over which terms that do not always count are averaged
_EPOCHS = 100


class StepCost(NamedTuple):
    """Passes of one step relative to plain training, as if all networks were of one size."""

    fresh: float  #: every teacher is forwarded at every step
    cached: float  #: teachers' outputs are read, as they can be if inputs are not augmented


def stage_cost(stage: Stage) -> StepCost:
    """Mean cost of a step of `stage`, ≥ 1.

    Student and every peer 3 (forward 1, backward 2), 1 for a partner or a view, and 6 for an input gradient (a further
    backward 2, and the way back through it twice that); every teacher 1, or 3 for its input gradient; divided by 3.
    Freezing a part saves some of that, which is not counted. A stage whose terms count in some epochs only is averaged
    over 100 epochs.
    """
    fresh = cached = 0.0
    for epoch in range(1, _EPOCHS + 1):
        inputs = stage.inputs_at(epoch, _EPOCHS)
        own = PLAIN + ("partner_logits" in inputs) + ("view_logits" in inputs)
        own += (BACKWARD + 2 * BACKWARD) * ("student_input_gradient" in inputs)
        own *= 1 + len(stage.peers)
        teaching = any(name.startswith("teacher_") for name in inputs)
        forwards = len(stage.teachers) if teaching else 0  # a route has one at a time
        taught = forwards * (PLAIN if "teacher_input_gradient" in inputs else 1)
        fresh += own + taught
        cached += own + (0 if stage.teacher_is_fixed else taught)
    return StepCost(fresh / (PLAIN * _EPOCHS), cached / (PLAIN * _EPOCHS))


def recipe_cost(recipe: Recipe) -> tuple[StepCost, ...]:
    """The cost of a step in each stage of the student. What was trained before is counted by `extra_trainings`."""
    return tuple(stage_cost(stage) for stage in recipe.stages)


def extra_trainings(recipe: Recipe) -> int:
    """How many networks are trained before the student, beside teacher and baseline, which every experiment has."""
    return len(recipe.networks)

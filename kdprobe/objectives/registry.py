"""Objectives by name, and what each of them wants to be given."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.external import is_reference, load_function
from kdprobe.objectives.cross_entropy import cross_entropy
from kdprobe.objectives.feature_mse import feature_mse
from kdprobe.objectives.kd import kd

#: what a training step can hand to an objective; an objective takes what it needs by these parameter names
INPUTS = ("student_logits", "teacher_logits", "student_feature", "teacher_feature", "labels")

OBJECTIVES: dict[str, Callable] = {
    "cross_entropy": cross_entropy,
    "feature_mse": feature_mse,
    "kd": kd,
}


def find_objective(name: str) -> Callable:
    """The objective called `name` in OBJECTIVES, or the user's own ``file.py:function``.

    Raises ConfigError if there is none.
    """
    if is_reference(name):
        return load_function(name)
    if name not in OBJECTIVES:
        near = get_close_matches(name, OBJECTIVES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(OBJECTIVES)}"
        raise ConfigError(f"No objective {name!r}: {hint} (or name your own as file.py:function).")
    return OBJECTIVES[name]


def objective_inputs(objective: Callable, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of INPUTS that `objective` takes, in the order of its signature; `options` fill the rest of it.

    Raises ConfigError if an option is unknown to the objective, or a parameter without default is left open.
    """
    name = getattr(objective, "__name__", repr(objective))
    parameters = inspect.signature(objective).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    own_options = [p.name for p in named if p.name not in INPUTS]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for option in options:
        if option in INPUTS or (option not in own_options and not takes_any):
            known = ", ".join(own_options) or "none"
            raise ConfigError(f"The objective {name} has no option {option!r}; its options: {known}.")
    for p in named:
        if p.name not in INPUTS and p.name not in options and p.default is p.empty:
            raise ConfigError(
                f"The objective {name} needs a value for {p.name!r}: give it as an option, or use one of the "
                f"inputs {', '.join(INPUTS)}."
            )
    if any(p.kind is p.POSITIONAL_ONLY for p in parameters):
        raise ConfigError(
            f"The objective {name} must take its inputs by name; remove the / in its signature."
        )
    inputs = tuple(p.name for p in named if p.name in INPUTS)
    if not any(given.startswith("student") for given in inputs):
        raise ConfigError(
            f"The objective {name} looks at nothing of the student; it must take student_logits or "
            "student_feature."
        )
    return inputs

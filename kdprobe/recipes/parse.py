"""From the plain values of a YAML file to a checked Recipe."""

import math
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.external import is_reference
from kdprobe.paths import expanded
from kdprobe.recipes.recipe import EPOCHS, LEARNS, Recipe, Stage, Term


def parse_recipe(name: str, source: str, content: Any, folder: Path | None) -> Recipe:
    """The recipe in `content`, checked. `source` names the file in messages, `folder` is where its code lies.

    Raises ConfigError if a key is unknown or missing, or a value cannot be used.
    """
    _check_keys(source, content, required=("title", "stages"), optional=("paper",))
    listed = content["stages"]
    if not isinstance(listed, list) or not listed:
        raise ConfigError(f"{source}: stages must be a list with at least one stage, got {listed!r}.")
    stages = tuple(_stage(f"{source}, stage {index}", stage, folder) for index, stage in enumerate(listed))
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise ConfigError(f"{source}: the stages must have different names, got {', '.join(names)}.")
    if len(stages) == 1:
        stages = (replace(stages[0], analysed=True),)
    if sum(stage.analysed for stage in stages) != 1:
        raise ConfigError(f"{source}: exactly one stage must have analysed: true, so that one is measured.")
    return Recipe(name, title=str(content["title"]), paper=str(content.get("paper") or ""), stages=stages)


def _stage(where: str, content: Any, folder: Path | None) -> Stage:
    optional = ("tap", "learns", "epochs", "teacher", "analysed")
    _check_keys(where, content, required=("name", "objective"), optional=optional)
    terms = content["objective"]
    if not isinstance(terms, list) or not terms:
        raise ConfigError(f"{where}: objective must be a list with at least one term, got {terms!r}.")
    for key in ("teacher", "analysed"):
        if not isinstance(content.get(key, False), bool):
            raise ConfigError(f"{where}: {key} must be true or false, got {content[key]!r}.")
    stage = Stage(
        name=str(content["name"]),
        objective=tuple(_term(where, term, folder) for term in terms),
        tap=None if content.get("tap") is None else str(content["tap"]),
        learns=_choice(where, "learns", content.get("learns", "all"), LEARNS),
        epochs=_epochs(where, content.get("epochs", "epochs")),
        analysed=content.get("analysed", False),
    )
    return _check_stage(where, stage, declared_teacher=content.get("teacher"))


def _check_stage(where: str, stage: Stage, declared_teacher: bool | None) -> Stage:
    """The stage with its teacher flag, after all that must agree has been compared."""
    inputs = stage.inputs
    features = sorted(name for name in inputs if name.endswith("_feature"))
    if stage.tap is None and features:
        raise ConfigError(
            f"{where}: the objective takes {features[0]}, so the stage needs a tap (tap: '{{layer}}')."
        )
    if stage.tap is None and stage.learns != "all":
        raise ConfigError(f"{where}: learns: {stage.learns} needs a tap to say where (tap: '{{layer}}').")
    if stage.learns == "above_tap" and "student_logits" not in inputs:
        raise ConfigError(f"{where}: learns: above_tap needs an objective that takes student_logits.")
    needs_teacher = any(name.startswith("teacher") for name in inputs)
    if declared_teacher is not None and declared_teacher != needs_teacher:
        takes = "takes" if needs_teacher else "takes nothing of"
        raise ConfigError(
            f"{where}: teacher: {str(declared_teacher).lower()}, but the objective {takes} a teacher; "
            "correct or drop the key."
        )
    return replace(stage, teacher=needs_teacher)


def _term(where: str, content: Any, folder: Path | None) -> Term:
    if isinstance(content, str):
        content = {"name": content}
    _check_keys(f"{where}, objective", content, required=("name",), optional=("weight", "options"))
    name, options = str(content["name"]), content.get("options") or {}
    if not isinstance(options, dict):
        raise ConfigError(f"{where}: the options of {name} must be key: value pairs, got {options!r}.")
    if is_reference(name) and folder is not None:
        name = str(folder / expanded(name))
    term = Term(name, _number(f"{where}: the weight of {name}", content.get("weight", 1.0)), dict(options))
    try:
        _ = term.inputs  # finds the objective and compares its options
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return term


def _number(what: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # YAML reads 1e-3 as a word
    except (TypeError, ValueError):
        number = math.nan
    if not (number > 0 and math.isfinite(number)):
        raise ConfigError(f"{what} must be a number above 0, got {value!r}.")
    return number


def _epochs(where: str, value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str):
        return _choice(where, "epochs", value, EPOCHS)
    known = ", ".join(EPOCHS)
    raise ConfigError(f"{where}: epochs must be a number from 1 on or one of {known}, got {value!r}.")


def _choice(where: str, key: str, value: Any, known: Iterable[str]) -> str:
    if value not in known:
        raise ConfigError(f"{where}: {key} must be one of {', '.join(known)}, got {value!r}.")
    return value


def _check_keys(where: str, content: Any, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    known = required + optional
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: expected the keys {', '.join(known)}, got {content!r}.")
    for key in content:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}: {hint}")
    for key in required:
        if key not in content:
            raise ConfigError(f"{where}: the key {key!r} is missing.")

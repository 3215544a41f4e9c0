"""How many epochs each network of an experiment is to be trained, as its config.yaml has it. Imports no torch."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

import kdprobe
from kdprobe.paths import expanded

_RECIPES = Path(kdprobe.__file__).parent / "recipes"  # its package would import torch
#: what a file raises that is not what it should be
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError)


def planned_epochs(folder: str | Path) -> dict[str, int | None]:
    """Epochs over all stages by network, in the order of training; None where a recipe leaves it open.

    Empty if `folder` has no config.yaml, or none that can be read as such.
    """
    path = Path(folder) / "config.yaml"
    try:
        changed = path.stat()
    except OSError:
        return {}
    return dict(_planned(path, changed.st_mtime_ns, changed.st_size))


@lru_cache(maxsize=8)
def _planned(path: Path, *_changed: int) -> dict[str, int | None]:
    try:
        config = _yaml(path)
        training, teacher = config["training"], config["teacher"]
        loaded = teacher["weights"] is not None
        planned = {"teacher": 0 if loaded else teacher["epochs"], "baseline": training["epochs"]}
        for student in config["students"]:
            planned |= _of_recipe(str(student), training)
    except _UNREADABLE:
        return {}
    return {name: epochs if type(epochs) is int else None for name, epochs in planned.items()}


def _of_recipe(name: str, training: Mapping[str, Any]) -> dict[str, int | None]:
    """A student's assistants, then the student."""
    own = expanded(name) if name.endswith((".yaml", ".yml")) else _RECIPES / f"{name}.yaml"
    student = f"student-{own.stem}"
    try:
        recipe = _yaml(own)
        planned = {
            f"{student}.{network['name']}": _epochs(network["stages"], training)
            for network in recipe.get("networks", ())
        }
        return planned | {student: _epochs(recipe["stages"], training)}
    except _UNREADABLE:
        return {student: None}


def _epochs(stages: Iterable[Mapping[str, Any]], training: Mapping[str, Any]) -> int:
    named = [stage.get("epochs", "epochs") for stage in stages]
    return sum(training[each] if isinstance(each, str) else each for each in named)


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))

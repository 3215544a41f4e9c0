"""Every number of a recipe under a dotted name, so that each can say where it comes from."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from kdprobe.recipes.described import is_default
from kdprobe.recipes.recipe import Recipe
from kdprobe.recipes.stage import Stage
from kdprobe.recipes.term import Term


class Number(NamedTuple):
    """A choice that a recipe makes."""

    name: str  #: objective.weight, objective.OPTION, objective.until, teacher.epoch, STAGE.epochs, networks, ...
    values: tuple[Any, ...]  #: each different one once, where several stages or terms have it
    origin: str | None  #: what the recipe's provenance says


def recipe_numbers(recipe: Recipe) -> tuple[Number, ...]:
    """All choices of `recipe`, in the order in which they stand in it: options, weights, spans, epochs, counts."""
    found: dict[str, list[Any]] = {}
    for name, value in _all(recipe):
        values = found.setdefault(name, [])
        if value not in values:
            values.append(value)
    origins = recipe.provenance or {}
    return tuple(Number(name, tuple(values), origins.get(name)) for name, values in found.items())


def number_names(recipe: Recipe) -> tuple[str, ...]:
    """The names that its provenance may use."""
    return tuple(dict.fromkeys(name for name, _ in _all(recipe)))


def short_name(objective: str) -> str:
    """The objective's own name; of file.py:function the function."""
    return objective.rpartition(":")[2]


def _all(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    if recipe.networks:
        yield "networks", len(recipe.networks)
    for stage in (*(stage for network in recipe.networks for stage in network.stages), *recipe.stages):
        yield from _of_stage(stage)


def _of_stage(stage: Stage) -> Iterator[tuple[str, Any]]:
    if not isinstance(stage.epochs, str):
        yield f"{stage.name}.epochs", stage.epochs
    if len(stage.teachers) > 1:
        yield "teachers", len(stage.teachers)
    for source in stage.teachers:
        for key in ("epoch", "anchors", "delta"):
            if getattr(source, key) not in ("last", None):
                yield f"teacher.{key}", getattr(source, key)
    if stage.peers:
        yield "peers", len(stage.peers)
    for term in stage.objective:
        yield from _of_term(term)


def _of_term(term: Term) -> Iterator[tuple[str, Any]]:
    name = short_name(term.objective)
    yield f"{name}.weight", term.weight
    for option, value in term.options.items():
        yield f"{name}.{option}", value
    for key in ("warm_up", "from_", "until", "decay"):
        if not is_default(term, key):
            yield f"{name}.{key.rstrip('_')}", getattr(term, key)

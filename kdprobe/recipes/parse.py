"""From the plain values of a YAML file to a checked Recipe."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.recipes.keys import check_keys, choice, filled_list, nearest
from kdprobe.recipes.numbers import number_names
from kdprobe.recipes.parse_sources import check_names, network_start
from kdprobe.recipes.parse_stage import parse_stage
from kdprobe.recipes.recipe import KINDS, Network, Recipe
from kdprobe.recipes.stage import IMAGES, Stage

_OPTIONAL = ("paper", "kind", "formula", "provenance", "unchecked", "departures", "networks")


def parse_recipe(name: str, source: str, content: Any, folder: Path | None) -> Recipe:
    """The recipe in `content`, checked. `source` names the file in messages, `folder` is where its code lies.

    Raises ConfigError if a key is unknown or missing, or a value cannot be used.
    """
    check_keys(source, content, required=("title", "stages"), optional=_OPTIONAL)
    networks = _networks(source, content.get("networks", []), folder)
    stages = _stages(source, content["stages"], folder, before=[network.name for network in networks])
    if len(stages) == 1:
        stages = (replace(stages[0], analysed=True),)
    if sum(stage.analysed for stage in stages) != 1:
        raise ConfigError(f"{source}: exactly one stage must have analysed: true, so that one is measured.")
    if sum(bool(stage.peers) for stage in stages) > 1:
        raise ConfigError(f"{source}: peers live for one stage; list them in one only.")
    check_names(
        source, [each.name for each in (*networks, *(peer for stage in stages for peer in stage.peers))]
    )
    recipe = Recipe(
        name,
        title=str(content["title"]),
        paper=str(content.get("paper") or ""),
        stages=stages,
        networks=networks,
        kind=choice(source, "kind", content["kind"], KINDS) if "kind" in content else "",
        formula=str(content.get("formula") or ""),
        unchecked=_sentences(source, "unchecked", content.get("unchecked", [])),
        departures=_sentences(source, "departures", content.get("departures", [])),
    )
    _check_used(source, recipe)
    return replace(recipe, provenance=_provenance(source, recipe, content.get("provenance", {})))


def _stages(
    where: str, content: Any, folder: Path | None, before: Sequence[str], later: Sequence[str] = ()
) -> tuple[Stage, ...]:
    listed = filled_list(where, "stages", content, "stage")
    stages = tuple(
        parse_stage(f"{where}, stage {index}", stage, folder, before, later)
        for index, stage in enumerate(listed)
    )
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise ConfigError(f"{where}: the stages must have different names, got {', '.join(names)}.")
    return stages


def _networks(source: str, content: Any, folder: Path | None) -> tuple[Network, ...]:
    if not isinstance(content, list):
        raise ConfigError(f"{source}: networks must be a list of networks, got {content!r}.")
    for each in content:
        check_keys(
            f"{source}, networks",
            each,
            required=("name", "stages"),
            optional=("model", "model_options", "initial", "inputs"),
        )
    starts = [network_start(f"{source}, networks", each, folder) for each in content]
    names = [start["name"] for start in starts]
    check_names(source, names)
    networks = []
    for k, (each, start) in enumerate(zip(content, starts, strict=True)):
        where = f"{source}, network {names[k]}"
        stages = _stages(where, each["stages"], folder, before=names[:k], later=names[k:])
        if any(stage.analysed for stage in stages):
            raise ConfigError(
                f"{where}: analysed: true, but only stages of the student are measured; drop the key."
            )
        if any(stage.peers for stage in stages):
            raise ConfigError(f"{where}: only the student learns together with peers; drop them here.")
        inputs = choice(where, "inputs", each.get("inputs", "image"), IMAGES)
        networks.append(Network(**start, stages=stages, inputs=inputs))
    return tuple(networks)


def _check_used(source: str, recipe: Recipe) -> None:
    for network in recipe.networks:
        if network.name not in recipe.sources:
            raise ConfigError(
                f"{source}: the network {network.name} teaches nobody; name it in a stage, or drop it."
            )


def _provenance(source: str, recipe: Recipe, content: Any) -> dict[str, str]:
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: provenance must be pairs of name and origin, got {content!r}.")
    known = number_names(recipe)
    for name, origin in content.items():
        if name not in known:
            raise ConfigError(f"{source}: provenance of {name!r}, which the recipe does not have: "
                              f"{nearest(str(name), known)}")  # fmt: skip
        if not isinstance(origin, str) or not origin.strip():
            raise ConfigError(f"{source}: the provenance of {name} must be a text, got {origin!r}.")
    return dict(content)


def _sentences(source: str, key: str, content: Any) -> tuple[str, ...]:
    if not isinstance(content, list) or not all(isinstance(each, str) for each in content):
        raise ConfigError(f"{source}: {key} must be a list of sentences, got {content!r}.")
    return tuple(content)

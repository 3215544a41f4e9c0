"""All that teaches a network of the experiment: found, checked, and told apart by the digest of its weights."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member, last_snapshot, member_settings
from kdprobe.experiment.route import Route, route_of
from kdprobe.experiment.setup import Material
from kdprobe.experiment.sources import Origin, origin
from kdprobe.networks import network_provenance
from kdprobe.recipes import Source
from kdprobe.training.teaching import TeachingNetwork


class Teaches(NamedTuple):
    """One source of a recipe's stages, found."""

    source: Source
    origin: Origin
    route: Route


def sources_of(member: Member) -> tuple[Source, ...]:
    """Those that teach `member` itself, each once, in the order of its stages."""
    return tuple(dict.fromkeys(source for stage in member.recipe.stages for source in stage.teachers))


def teachers_of(
    config: ExperimentConfig, material: Material, member: Member, found: Sequence[Member]
) -> tuple[Teaches, ...]:
    """All that teaches `member`. Raises ConfigError if one is not there, or has not kept what it is to teach."""
    return tuple(_teaches(config, material, member, found))


def _teaches(
    config: ExperimentConfig, material: Material, member: Member, found: Sequence[Member]
) -> Iterator[Teaches]:
    origins: dict[str, Origin] = {}
    for source in sources_of(member):
        if source.network not in origins:
            origins[source.network] = origin(config, material, member, source.network, found)
        there = origins[source.network]
        yield Teaches(source, there, route_of(member.name, source, there, _shortest(config, member, source)))


def _shortest(config: ExperimentConfig, member: Member, source: Source) -> int:
    """Epochs of the shortest stage of `member` that `source` teaches."""
    settings = member_settings(config, member)
    return min(settings.stage_epochs(each.epochs) for each in member.recipe.stages if source in each.teachers)


def teacher_digests(teachers: Sequence[Teaches], found: Sequence[Member]) -> str | dict[str, Any] | None:
    """What tells those that teach apart: None for nobody; of the teacher as it ended the digest alone; else by source
    the digest of its weights, or of those of all its anchors, beside the architecture where the weights do not say it.
    None stands for what is not trained yet.
    """
    if not teachers:
        return None
    if [each.source for each in teachers] == [Source()]:
        return last_snapshot(found[0]).digest if teachers[0].origin.finished else None
    return {source_name(each.source): _digests(each) for each in teachers}


def _digests(each: Teaches) -> str | list[str] | dict[str, Any] | None:
    if not each.origin.finished:
        return None
    digests = each.origin.digests(each.route.epochs)
    weights = digests if each.source.anchors is not None else digests[0]
    if each.origin.assumed:
        name, options = each.origin.built
        bare = {key: value for key, value in options.items() if key != "pretrained"}
        return {"weights": weights, "model": network_provenance(name, bare)}
    return weights


def source_name(source: Source) -> str:
    """A source in a few words, another one for each."""
    if source.anchors is not None:
        threshold = "" if source.delta is None else f" {source.delta:g}"
        return f"{source.network}, {source.anchors} anchors, {source.search}{threshold}"
    return source.network if source.epoch == "last" else f"{source.network}, epoch {source.epoch}"


def teaching_networks(
    config: ExperimentConfig, material: Material, teachers: Sequence[Teaches]
) -> dict[str, TeachingNetwork]:
    """Those that teach, by the names that the recipe has for them, each built and loaded once."""
    origins = {each.origin.name: each.origin for each in teachers}
    return {name: there.teaching(config, material) for name, there in origins.items()}

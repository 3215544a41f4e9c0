"""Every term of a recipe tried out on a few images: what cannot be computed is said before anything is trained."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.errors import ConfigError, KdprobeError, LayerError
from kdprobe.estimator.taps import capture, untouched
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member
from kdprobe.experiment.setup import Material, device
from kdprobe.experiment.sources import bare_network
from kdprobe.experiment.teachers import Teaches
from kdprobe.objectives import find_objective, is_connector
from kdprobe.recipes import LAYER, Stage, Term
from kdprobe.training.checks import check_values

_IMAGES = 8  #: at most; enough for losses that compare the images of a batch


def try_terms(
    config: ExperimentConfig, material: Material, member: Member, teachers: Sequence[Teaches]
) -> None:
    """Computes each term of the stages of `member` once, for a few training images. Raises ConfigError if one fails or
    does not give one value per image, or if a teacher does not have the layer that is to be imitated.

    Networks are built, untrained, only for stages that look at a layer; elsewhere random logits do.
    """
    with torch.random.fork_rng(devices=[device(config)] if device(config).type == "cuda" else []):
        for stage in member.recipe.stages:
            given = _given(config, material, member, stage, teachers)
            for term in stage.objective:
                _try(config, member, stage, term, given, teachers)


def tap_of(config: ExperimentConfig, tap: str) -> str:
    """The layer that a stage names, or the one under study."""
    return config.measure.layer if tap == LAYER else tap


def _given(
    config: ExperimentConfig,
    material: Material,
    member: Member,
    stage: Stage,
    teachers: Sequence[Teaches],
) -> dict[str, Any]:
    """All that an objective may take, for one batch."""
    data, where = material.train, device(config)
    rows = torch.linspace(0, len(data) - 1, min(_IMAGES, config.training.batch_size, len(data))).long()
    generator = torch.Generator().manual_seed(0)

    def logits() -> Tensor:
        return torch.randn(len(rows), len(data.classes), generator=generator).to(where)

    given = {
        "student_logits": logits().requires_grad_(),
        **{f"{who}_logits": logits() for who in ("teacher", "partner", "view", "ensemble")},
        "labels": data.labels[rows].to(where),
        "generator": generator,
    }
    images = data.normalised[rows].to(where)
    if "student_feature" in stage.inputs:
        own = bare_network(config, material, architecture(config, member.role, member.network))
        given |= _outputs(own, "student", tap_of(config, stage.tap), images.clone().requires_grad_())
    if "teacher_feature" in stage.inputs:
        each = _teacher(stage, teachers)
        network, layer = bare_network(config, material, each.origin.built), tap_of(config, stage.tap)
        try:
            with torch.no_grad():
                given |= _outputs(network, "teacher", layer, images)
        except LayerError as error:
            raise ConfigError(
                f"{_imitates(config, member, stage)}, and its teacher {each.source.network} "
                f"({each.origin.built[0]}) has none: {error}"
            ) from error
    return given


def _try(
    config: ExperimentConfig,
    member: Member,
    stage: Stage,
    term: Term,
    given: dict[str, Any],
    teachers: Sequence[Teaches],
) -> None:
    objective, takes = find_objective(term.objective), {name: given[name] for name in term.inputs}
    try:
        with torch.enable_grad():
            if is_connector(objective):
                values = objective(takes, **term.options).to(device(config))(**takes)
            else:
                values = objective(**takes, **term.options)
    # The loss may be the user's own code, which may raise anything. Nothing is swallowed: it is raised again with the
    # names of network, stage and loss, so that the user knows which of several failed.
    except Exception as error:  # a user's loss raises what it likes; raised again with its name
        kind = "" if isinstance(error, KdprobeError) else f"{type(error).__name__}: "
        reason = kind + " ".join(str(error).split())
        if "teacher_feature" in term.inputs:
            each = _teacher(stage, teachers)
            raise ConfigError(
                f"{_imitates(config, member, stage)} of its teacher {each.source.network} ({each.origin.built[0]}), "
                f"and {term.objective} cannot compare the two: {reason}"
            ) from error
        raise ConfigError(
            f"{member.name}: in its stage {stage.name!r} {term.objective} cannot be computed: {reason}"
        ) from error
    try:
        check_values(term.objective, values, given["labels"].shape)
    except ConfigError as error:
        raise ConfigError(f"{member.name}: {error}") from error


def _outputs(network: nn.Module, who: str, layer: str, images: Tensor) -> dict[str, Tensor]:
    with untouched(network), capture(network, layer) as tap:
        logits = network(images)
    return {f"{who}_logits": logits, f"{who}_feature": tap.value}


def _teacher(stage: Stage, teachers: Sequence[Teaches]) -> Teaches:
    """The only one of a stage that takes a teacher's feature."""
    return next(each for each in teachers if each.source in stage.teachers)


def _imitates(config: ExperimentConfig, member: Member, stage: Stage) -> str:
    return f"{member.name}: its stage {stage.name!r} imitates the layer {tap_of(config, stage.tap)!r}"

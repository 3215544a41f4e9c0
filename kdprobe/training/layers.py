"""Which layers of its networks a stage looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from kdprobe.errors import ConfigError
from kdprobe.estimator.taps import bare
from kdprobe.networks import layers_of
from kdprobe.recipes import LAYER, Stage
from kdprobe.recipes.layers import MANY, ONE
from kdprobe.training.norms import norm_names

STUDENT = "student"  #: what the student is called among networks that learn together


@dataclass(frozen=True)
class StageLayers:
    """The layers of a stage by network: the student, its peers by name, teachers by the name of the source."""

    tap: Mapping[str, str] = field(default_factory=dict)  #: empty without a tap
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: of one length, shallow to deep
    norms: tuple[
        str, ...
    ] = ()  #: the BatchNorms behind the teacher's features, if a term takes teacher_norms
    note: str | None = None  #: what a user should be told


def stage_layers(
    stage: Stage,
    layer: str | None,
    learners: Mapping[str, nn.Module],
    teachers: Mapping[str, nn.Module],
    example: Tensor,
) -> StageLayers:
    """The layers that `stage` names, {layer} and the roles filled in for every network.

    `learners`: the student, as STUDENT, and the peers; `teachers`: by source; `example`: a batch of images. Where the
    networks fill a role with numbers of layers that differ, they are aligned from the deepest: the shallowest of those
    who have more are left out, and `note` says so. Raises ConfigError if there is no layer under study, if a network
    does not say what has the role; LayerError if teacher_norms are asked for and a layer has none.
    """
    tap, features = {}, {}
    if stage.tap is not None:
        looked_at = {**learners, **(teachers if "teacher_feature" in stage.inputs else {})}
        tap = {name: _filled(stage, network, stage.tap, layer)[0] for name, network in looked_at.items()}
    note = None
    if stage.features is not None:
        named = {name: (network, stage.features.student) for name, network in learners.items()}
        if stage.inputs & {"teacher_features", "teacher_norms"}:
            named |= {name: (network, stage.features.teacher) for name, network in teachers.items()}
        found = {
            name: [_filled(stage, network, each, layer) for each in layers]
            for name, (network, layers) in named.items()
        }
        features = _aligned(found)
        if any(len(features[name]) < sum(map(len, found[name])) for name in found):
            counts = ", ".join(f"{name} {sum(map(len, layers))}" for name, layers in found.items())
            note = (
                f"the stage {stage.name!r} compares the deepest {len(features[STUDENT])} of the layers that its "
                f"networks have ({counts})"
            )
    norms: tuple[str, ...] = ()
    if "teacher_norms" in stage.inputs:
        for name, network in teachers.items():
            norms = norm_names(network, features[name], example)
    return StageLayers(tap, features, norms, note)


def layers_named(stage: Stage, network: nn.Module, layer: str | None) -> tuple[str, ...]:
    """All layers that `stage` names of `network`, one that learns; {layer} and the roles are filled in.

    Raises ConfigError as `stage_layers` does.
    """
    return tuple(each for name in stage.student_layers for each in _filled(stage, network, name, layer))


def _filled(stage: Stage, network: nn.Module, named: str, layer: str | None) -> tuple[str, ...]:
    """The layers of `network` that `named`, a layer or a role, stands for."""
    if named in (*ONE, *MANY):
        return layers_of(bare(network), named)
    if named != LAYER:
        return (named,)
    if layer is None:
        raise ConfigError(
            f"The stage {stage.name!r} works at the layer under study; name one, for example layer: fc1."
        )
    return (layer,)


def _aligned(found: Mapping[str, Sequence[tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """As many layers of every network: role by role if all name as many, else all of them together."""
    if len({len(roles) for roles in found.values()}) > 1:
        found = {name: [sum(roles, ())] for name, roles in found.items()}
    fewest = [min(map(len, place)) for place in zip(*found.values(), strict=True)]
    return {
        name: tuple(
            layer
            for layers, count in zip(roles, fewest, strict=True)
            for layer in layers[len(layers) - count :]
        )
        for name, roles in found.items()
    }

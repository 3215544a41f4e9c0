"""What a recipe asks of data, layers and teachers, looked at before anything is written."""

from collections.abc import Sequence

from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.estimator.taps import layer_path
from kdprobe.experiment.architecture import architecture, initial_weights
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.members import Member, member_settings
from kdprobe.experiment.setup import Material
from kdprobe.experiment.sources import bare_network
from kdprobe.experiment.teachers import Teaches
from kdprobe.experiment.trial import try_terms
from kdprobe.recipes import LAYER, Stage
from kdprobe.training.checks import check_stages
from kdprobe.training.layers import layers_named


def check_member(config: ExperimentConfig, material: Material, member: Member) -> None:
    """Raises ConfigError if the stages of `member` need foregrounds that the data do not have, have an epoch in which
    nothing counts, or if a network of its recipe cannot be built or used; LayerError if it, or a peer, has no such
    layer as its stages name.
    """
    for stage in member.recipe.stages:
        asked = {"inputs": stage.student_inputs, "teacher_inputs": stage.teacher_inputs}
        key = next((key for key, seen in asked.items() if seen == "foreground"), None)
        for split in (material.train, material.test):
            if key is not None and split.foregrounds is None:
                raise ConfigError(
                    f"{member.name}: its stage {stage.name!r} has {key}: foreground, and the {split.split} split of "
                    f"{split.name} has no foregrounds; choose data with masks or boxes, data.foreground central, or "
                    "another recipe."
                )
        for network in (member.network, *stage.peers):
            if network is None and {*stage.student_layers} <= {LAYER}:
                continue  # the layer under study is looked at where it is measured
            built = bare_network(config, material, architecture(config, member.role, network))
            try:
                named = layers_named(stage, built, config.measure.layer)
            except ConfigError as error:
                raise ConfigError(f"{member.name}: in its stage {stage.name!r}: {error}") from error
            for layer in named:
                layer_path(built, layer)
        _check_no_twins(config, member, stage)

    peers = {peer.name: peer for stage in member.recipe.stages for peer in stage.peers}
    own = architecture(config, member.role, member.network)
    try:
        check_stages(
            bare_network(config, material, own) if peers else nn.Identity(),
            member.recipe,
            member_settings(config, member),
            material.train,
            material.test,
            {
                name: bare_network(config, material, architecture(config, "student", peer))
                for name, peer in peers.items()
            },
        )
    except ConfigError as error:
        raise ConfigError(f"{member.name}: {error}") from error


def _check_no_twins(config: ExperimentConfig, member: Member, stage: Stage) -> None:
    """Raises ConfigError if two networks that learn together are one and the same, and would stay so."""
    begun: list[tuple[object, str]] = []
    for network in (member.network, *stage.peers):
        name = member.name if network is member.network else network.name
        start = architecture(config, member.role, network), initial_weights(member.role, network)
        twin = next((other for known, other in begun if known == start), None)
        if twin is not None:
            raise ConfigError(
                f"{member.name}: in its stage {stage.name!r} {name} has the architecture and the initial weights of "
                f"{twin}, so that the two would learn nothing from each other; give it another initial (a whole "
                "number) or another model."
            )
        begun.append((start, name))


def check_taught(
    config: ExperimentConfig, material: Material, member: Member, teachers: Sequence[Teaches]
) -> list[str]:
    """What a user should be told of its terms.

    Raises ConfigError if `member` is finished, but not all that taught it are there; or if it is not, and a term of
    its stages cannot be computed. Raises SnapshotError if the weights of a network from elsewhere that is to teach it
    cannot be loaded.
    """
    finished = member.run_file.exists()
    for each in teachers:
        if each.origin.elsewhere and not finished:
            each.origin.teaching(config, material)
        if finished and not each.origin.finished:
            raise ConfigError(
                f"{each.origin.folder} holds no finished network, but the one that it taught, {member.folder}, is "
                "finished; restore the teacher, or remove all that it taught to train them again."
            )
    return [] if finished else try_terms(config, material, member, teachers)

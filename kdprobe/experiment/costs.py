"""What training costs, from the time that an epoch of each architecture takes, tried out once for each."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.epochs import stage_ends
from kdprobe.experiment.forecast import resume_bytes
from kdprobe.experiment.members import Member
from kdprobe.experiment.setup import Material
from kdprobe.experiment.sources import bare_network
from kdprobe.experiment.teachers import Teaches
from kdprobe.recipes import Stage
from kdprobe.storage import snapshot_bytes

#: a forward pass without gradients, as a share of a training step with its accuracy
_FORWARD = 0.4
#: the same of an input gradient that is learned by: a backward, and the way back through it
_GRADIENT = 2


class Costs:
    """Seconds and bytes of the networks of an experiment; `seconds` tries out an epoch of a network."""

    def __init__(
        self, config: ExperimentConfig, material: Material, seconds: Callable[[nn.Module], float]
    ) -> None:
        self._config = config
        self._material = material
        self._seconds = seconds
        self._known: dict[str, tuple[nn.Module, float | None]] = {}

    def training(self, member: Member, teachers: Sequence[Teaches], done: int) -> float:
        """Seconds of what is left of the training of `member` after `done` epochs."""
        if member.role == "teacher" and self._config.teacher.weights is not None:
            return 0.0
        total, first = 0.0, 0
        for stage, last in zip(member.recipe.stages, stage_ends(self._config, member), strict=True):
            left, first = last - max(first, done), last
            if left > 0:
                total += left * self._epoch(member, stage, teachers)
        return total

    def _epoch(self, member: Member, stage: Stage, teachers: Sequence[Teaches]) -> float:
        own = self._seconds_of(architecture(self._config, member.role, member.network))
        peers = [self._seconds_of(architecture(self._config, "student", peer)) for peer in stage.peers]
        forward = [own] * (stage.view + (stage.batches == "class_pairs"))
        taught = [self._seconds_of(each.origin.built) for each in teachers if each.source in stage.teachers]
        learning = own + sum(peers)
        if "student_input_gradient" in stage.inputs:
            learning *= 1 + _GRADIENT
        whole = "teacher_input_gradient" in stage.inputs  # there and back again
        return learning + _FORWARD * sum(forward) + (1 if whole else _FORWARD) * sum(taught)

    def snapshot(self, member: Member) -> int:
        """Bytes of one snapshot of `member`."""
        return snapshot_bytes(self._model(architecture(self._config, member.role, member.network)))

    def resume(self, found: Sequence[Member]) -> int:
        """Bytes of what is kept of a running training to go on, for the largest of the networks `found`."""
        training = self._config.training
        return max(
            sum(resume_bytes(self._model(built), training) for built in self._together(member))
            for member in found
        )

    def _together(self, member: Member) -> list[tuple[str, dict[str, Any]]]:
        """The architectures that are trained at once: of `member` and, in the stage with most of them, its peers."""
        peers = max((stage.peers for stage in member.recipe.stages), key=len)
        own = architecture(self._config, member.role, member.network)
        return [own, *(architecture(self._config, "student", peer) for peer in peers)]

    def _model(self, built: tuple[str, dict[str, Any]]) -> nn.Module:
        return self._remembered(built)[0]

    def _seconds_of(self, built: tuple[str, dict[str, Any]]) -> float:
        model, seconds = self._remembered(built)
        if seconds is None:
            seconds = self._seconds(model)
            self._known[_key(built)] = model, seconds
        return seconds

    def _remembered(self, built: tuple[str, dict[str, Any]]) -> tuple[nn.Module, float | None]:
        if _key(built) not in self._known:
            network = bare_network(self._config, self._material, built)
            self._known[_key(built)] = network, None
        return self._known[_key(built)]


def _key(built: tuple[str, dict[str, Any]]) -> str:
    return json.dumps([built[0], {k: v for k, v in built[1].items() if k != "pretrained"}], default=str)

"""A live probe that goes with a network through the stages of its training, and through interruptions."""

from typing import Any

from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.live import LiveProbe
from kdprobe.training.knowledge_probe import KnowledgeProbe
from kdprobe.training.layers import STUDENT
from kdprobe.training.module import StagePlan


class LiveStages:
    """Hands `probe` from stage to stage; it looks after every n-th epoch, and at both ends of each stage."""

    def __init__(self, probe: LiveProbe, every_n_epochs: int = 1) -> None:
        self._probe = probe
        self._when = {"module": STUDENT, "every_n_epochs": every_n_epochs}

    def restore(self, model: nn.Module, checkpoint: dict[str, Any]) -> None:
        """Goes on as `checkpoint`, from which `model` got its weights, has it.

        Another probe's state (the settings of the live probe may change at any time) is left out: then the curves begin
        anew.
        """
        state = checkpoint.pop(KnowledgeProbe.of(self._probe, **self._when).key, None)
        if state is None:
            return
        try:
            self._probe.start(model, state)
        except ConfigError:
            return

    def callback(self, plan: StagePlan) -> KnowledgeProbe:
        """For the Trainer of one stage."""
        begins = plan.index, plan.first_epoch, plan.first_step
        return KnowledgeProbe.of(self._probe, **self._when, begins=begins)

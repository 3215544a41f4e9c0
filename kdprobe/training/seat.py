"""One teacher of a stage: a network, and the epoch as of which it speaks."""

import copy

import torch
from torch import nn

from kdprobe.errors import TrainingError
from kdprobe.recipes import Source
from kdprobe.storage import load_state
from kdprobe.training.teacher import CHANGED, state_digest
from kdprobe.training.teaching import TeachingNetwork, route


class Seat:
    """Speaks for `source`. Where that is the final network it is the network itself, else a copy with other weights.

    Raises ConfigError if an epoch that is to teach is not kept.
    """

    def __init__(self, source: Source, network: TeachingNetwork, device: torch.device) -> None:
        self.source = source
        self.route = route(source, network)
        self.spans = source.anchors or 1
        self.epoch: int | None = None  #: as of which it speaks
        self._network = network
        self._digest: str | None = None
        self.is_final = self.route == (network.last,)
        if self.is_final:
            self.model: nn.Module = network.model
        else:
            self.model = copy.deepcopy(network.model).to(device).eval().requires_grad_(False)

    def move(self, epoch: int) -> None:
        """From here on it speaks as of `epoch`. Raises TrainingError if it has changed since it last moved."""
        if epoch == self.epoch or self.is_final:
            self.epoch = epoch
            return
        self.check()
        state = self._network.state(epoch)
        load_state(self.model, state, source=f"epoch {epoch} of {self.source.network}")
        self.epoch, self._digest = epoch, state_digest(self.model)

    def check(self) -> None:
        """Raises TrainingError if a copy's weights or buffers are not those loaded (a final network is checked by
        `frozen_teacher`)."""
        if self._digest is not None and state_digest(self.model) != self._digest:
            raise TrainingError(CHANGED)

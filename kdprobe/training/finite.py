"""Whether a training's losses stay finite."""

import math

import torch
from torch import Tensor

from kdprobe.errors import TrainingError

#: by kind of device, steps between two looks; a look at a GPU's numbers waits for all that it has still to do
LOOKS = {"cpu": 1}
_ELSEWHERE = 50


class FiniteLosses:
    """Looks at the losses of an epoch's steps: on the CPU at each, on a GPU at 50 together."""

    def __init__(self, device: torch.device) -> None:
        self._every = LOOKS.get(device.type, _ELSEWHERE)
        self._unseen: list[Tensor] = []

    def add(self, loss: Tensor, step: int, where: str, last: bool) -> None:
        """`loss` () of `step`; with the epoch's `last` step all are looked at, so that none of its ends is kept.

        Raises TrainingError for the first that is not finite.
        """
        self._unseen.append(loss.detach())
        if len(self._unseen) < self._every and not last:
            return
        values, self._unseen = torch.stack(self._unseen).tolist(), []
        for at, value in enumerate(values, step + 1 - len(values)):
            if not math.isfinite(value):
                raise TrainingError(
                    f"The loss became {value} in {where}, step {at}; lower the learning rate or look at the data."
                )

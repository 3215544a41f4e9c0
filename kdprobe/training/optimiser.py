"""The optimiser of a stage and how its learning rate goes."""

from typing import Any

import torch
from torch import nn

from kdprobe.training.settings import TrainingSettings


def optimiser_of(
    parameters: list[nn.Parameter], settings: TrainingSettings, per_epoch: int, epochs: int
) -> torch.optim.Optimizer | dict[str, Any]:
    """As Lightning wants it, for a stage of `epochs` epochs of `per_epoch` steps."""
    s = settings
    if s.optimiser == "adamw":
        optimiser = torch.optim.AdamW(parameters, lr=s.learning_rate, weight_decay=s.weight_decay)
    else:
        optimiser = torch.optim.SGD(
            parameters, lr=s.learning_rate, momentum=s.momentum, weight_decay=s.weight_decay
        )
    if s.schedule == "constant":
        return optimiser
    if s.schedule == "one_cycle":
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=s.learning_rate, total_steps=per_epoch * epochs
        )
    else:
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: 10 ** -min(step // per_epoch / max(epochs - 1, 1), 1)
        )
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

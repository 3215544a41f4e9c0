"""Where a training runs, and that it leaves nothing behind there."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.training.settings import TrainingSettings


def training_device(settings: TrainingSettings) -> torch.device:
    """The one device on which `settings` wants to train. Raises ConfigError if it is not there."""
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise ConfigError("device: cuda was asked for, but there is no CUDA device; use device: auto or cpu.")
    if there and settings.device != "cpu":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Random numbers drawn inside do not change the caller's; on a GPU cuDNN chooses reproducible kernels."""
    with torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []):
        cudnn = torch.backends.cudnn
        before = cudnn.deterministic, cudnn.benchmark
        try:
            cudnn.deterministic, cudnn.benchmark = True, False
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Puts back training flags, requires_grad and device of `model`, not its weights."""
    home = next(model.parameters()).device
    training = [(module, module.training) for module in model.modules()]
    learning = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        model.to(home)
        for module, flag in training:
            module.training = flag
        for parameter, flag in learning:
            parameter.requires_grad_(flag)
            parameter.grad = None

"""What the estimator does not put back itself, so that whoever is observed never notices."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def same_numbers() -> Iterator[None]:
    """Afterwards the random numbers of Python, numpy and torch (on the CPU) go on as if nothing had been drawn."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def unnoticed(model: nn.Module) -> Iterator[None]:
    """Afterwards the random numbers (`same_numbers`) and the model's buffers are as they were before.

    The rest (random numbers of a GPU, training flags, requires_grad, precision) is the estimator's to put back.
    Networks draw numbers of their own now and then, or count their passes in a buffer, in evaluation mode too.
    """
    held = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False)
    ]
    try:
        with same_numbers():
            yield
    finally:
        with torch.no_grad():
            for module, name, buffer, before in held:
                module._buffers[name] = buffer
                # Only then: writing to it would invalidate a graph of the caller's that has it.
                if not torch.equal(buffer, before):
                    buffer.copy_(before)

"""A network that learns on small images, and the images that it is observed with."""

import random
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from kdprobe.estimator import Decomposed
from kdprobe.live import LiveProbe
from kdprobe.storage import read_jsonl

GRID = 4
#: as little as the solver can do
LITTLE = Decomposed(tolerance=None, pairs=2, refreshes=2, scale_samples=4, check_samples=2)


class Net(nn.Module):
    """Convolution, BatchNorm, dropout, two linear layers; it learns from noise that numpy and Python draw for it.

    `passes` counts the forward passes, in evaluation mode too. What `fails` holds is raised in evaluation mode.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.fails: list[Exception] = []
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(3, 4, 3, padding=1),
                    norm=nn.BatchNorm2d(4),
                    relu=nn.ReLU(),
                    drop=nn.Dropout(0.2),
                    pool=nn.MaxPool2d(2),
                    flatten=nn.Flatten(),
                    fc1=nn.Linear(4 * 4 * 4, 8),
                )
            )
            self.head = nn.Linear(8, 3)
        self.taps = {"fc1": "body.fc1"}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.fails and not self.training:
            raise self.fails[0]
        self.passes += 1
        shift = np.random.standard_normal() + random.random()
        return self.head(self.body(images + (0.01 * shift if self.training else 0.0)))


def images(count: int = 8, seed: int = 1) -> torch.Tensor:
    """Noise with a bright square in the middle."""
    generator = torch.Generator().manual_seed(seed)
    found = 0.3 * torch.randn(count, 3, 8, 8, generator=generator)
    found[:, :, 2:6, 2:6] += torch.rand(count, 3, 1, 1, generator=generator)
    return found


def masks(count: int = 8) -> torch.Tensor:
    found = torch.zeros(count, 8, 8, dtype=torch.bool)
    found[:, 2:6, 2:6] = True
    return found


def options(**changes) -> dict:
    """Of a LiveProbe that costs little, hides no error and makes no page."""
    return {"grid": GRID, "solver": LITTLE, "margin": 0.05, "page": None, "on_error": "raise"} | changes


def probe(folder, **changes) -> LiveProbe:
    """Of the images and their masks, at fc1."""
    return LiveProbe(images(), masks(), "fc1", folder, **options(**changes))


def lines(folder) -> list[dict]:
    """Of the log in `folder`, without what differs from run to run."""
    return [
        {k: v for k, v in line.items() if k != "seconds"} for line in read_jsonl(folder / "metrics.jsonl")
    ]


def wandering(epochs: int, seed: int = 3):
    """(epoch, network) with weights that walk at random, one network in place."""
    net, generator = Net(), torch.Generator().manual_seed(seed)
    for epoch in range(epochs + 1):
        if epoch:
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter += 0.15 * torch.randn(parameter.shape, generator=generator)
        yield epoch, net

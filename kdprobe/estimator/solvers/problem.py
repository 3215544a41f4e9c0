"""What every solver is given and what it gives back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as TypingProtocol

import torch
from torch import Tensor

from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.feature import Feature
from kdprobe.estimator.noise import image_generator, normal
from kdprobe.estimator.protocols import Protocol


@dataclass(frozen=True)
class Problem:
    """A few images whose noise samples fit into memory together, and the network that looks at them."""

    feature: Feature
    images: Tensor  #: (B, C, H, W)
    clean: Tensor  #: (B, D), f of the images
    cells: CellGrid
    protocol: Protocol
    seed: int

    def generators(self) -> list[torch.Generator]:
        return [image_generator(self.seed, image) for image in self.images]

    def parts(self, samples: int) -> Iterator[slice]:
        """Slices of the images such that `samples` noisy versions of each fit into one pass (at least one image)."""
        step = max(1, self.feature.internal_batch_size // samples)
        for start in range(0, len(self.images), step):
            yield slice(start, start + step)


@dataclass(frozen=True)
class Solution:
    """Sigma of the reported iterate and the first-order variance of its entropy."""

    sigma: Tensor  #: (B, g, g) float64
    entropy_variance: Tensor  #: (B, g, g) float64, nats²
    feature_scale: Tensor  #: (B,) float64
    reached: Tensor  #: (B,) bool: the mean entropy has passed the target
    step: Tensor  #: (B,) int64: the step of the reported iterate
    diagnostics: dict[str, Tensor] = field(default_factory=dict)  #: name -> (B,), goes into the stats


class Solver(TypingProtocol):
    """A solver is a frozen record of its budget."""

    def samples_at_once(self, protocol: Protocol) -> int:
        """Noise samples of one image that are worked on together."""

    def solve(self, problem: Problem) -> Solution: ...

    def as_dict(self) -> dict[str, Any]: ...


def feature_scale(problem: Problem, generators: list[torch.Generator], samples: int) -> tuple[Tensor, Tensor]:
    """sigma_f² = E‖f(x + s e) - f(x)‖² summed over the D features, and its standard error, both (B,) float64.

    From `samples` forward passes an image.
    """
    total = torch.zeros(len(problem.images), dtype=torch.float64)
    squares = torch.zeros_like(total)
    size = problem.feature.internal_batch_size
    done = 0
    while done < samples:
        # One sample per image at a time where memory is short: the noise does not depend on how it is cut.
        now = min(samples - done, max(1, size // len(problem.images)))
        noise = torch.stack([normal(generators, 1, problem.images[0])[:, 0] for _ in range(now)], dim=1)
        rows = problem.images[:, None] + problem.protocol.feature_scale_sigma * noise
        change = problem.feature(rows.flatten(0, 1)).unflatten(0, (-1, now)) - problem.clean[:, None]
        distortion = change.double().square().sum(2).cpu()
        total += distortion.sum(1)
        squares += distortion.square().sum(1)
        done += now
    mean = total / samples
    return mean, ((squares / samples - mean**2).clamp(min=0) / (samples - 1)).sqrt()

"""What every solver is given and what it gives back."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
    """A few images that are worked on together, and the network that looks at them."""

    feature: Feature
    images: Tensor  #: (B, C, H, W)
    clean: Tensor  #: (B, D), f of the images
    cells: CellGrid
    protocol: Protocol
    seed: int

    def generators(self) -> list[torch.Generator]:
        return [image_generator(self.seed, image) for image in self.images]

    def only(self, images: Tensor | slice) -> "Problem":
        """The same for some of the images, (k,) indices or a slice."""
        if isinstance(images, Tensor):
            images = images.to(self.images.device)
        return replace(self, images=self.images[images], clean=self.clean[images])

    def parts(self, samples: int) -> Iterator[slice]:
        """Slices of the images such that `samples` noisy versions of each fit into one pass (at least one image)."""
        step = max(1, self.feature.internal_batch_size // samples)
        for start in range(0, len(self.images), step):
            yield slice(start, start + step)

    def change(self, rows: Tensor) -> Tensor:
        """f(x') - f(x) of noisy images (B, S, C, H, W), (B, S, D)."""
        return self.feature(rows.flatten(0, 1)).unflatten(0, rows.shape[:2]) - self.clean[:, None]


@dataclass(frozen=True)
class Solution:
    """Sigma of the reported iterate and how far noise may have moved it."""

    sigma: Tensor  #: (B, g, g) float64
    std_error: Tensor  #: (B, g, g) float64, nats: of the entropy relative to the image's mean
    noise: Tensor  #: (B, R, g, g) float64, nats: independent deviations of the same, their squares add up to std_error²
    feature_scale: Tensor  #: (B,) float64
    reached: Tensor  #: (B,) bool: the target has been passed
    step: Tensor  #: (B,) int64: the step of the reported iterate
    diagnostics: dict[str, Tensor] = field(default_factory=dict)  #: name -> (B,), goes into the stats


class Solver(TypingProtocol):
    """A solver is a frozen record of its budget."""

    def samples_at_once(self, protocol: Protocol) -> int:
        """Noise samples of one image that are worked on together."""

    def solve(self, problem: Problem) -> Solution: ...

    def as_dict(self) -> dict[str, Any]: ...


def distortions(problem: Problem, generators: list[torch.Generator], samples: int) -> Tensor:
    """‖f(x + s e) - f(x)‖² at the noise level s of sigma_f², summed over the D features: (B, samples) float64."""
    found, size = [], problem.feature.internal_batch_size
    done = 0
    while done < samples:
        # One sample per image at a time where memory is short: the noise does not depend on how it is cut.
        now = min(samples - done, max(1, size // len(problem.images)))
        noise = torch.cat([normal(generators, 1, problem.images[0]) for _ in range(now)], dim=1)
        change = problem.change(problem.images[:, None] + problem.protocol.feature_scale_sigma * noise)
        found.append(change.double().square().sum(2).cpu())
        done += now
    return torch.cat(found, dim=1)


def unit_of(scale: Tensor) -> Tensor:
    """The size of a change of the feature whose sigma_f² is `scale` (B,), 1 where that says nothing.

    Cotangents divided by it are near 1, so that features of any scale stay within float32.
    """
    size = scale.sqrt()
    return torch.where((size > 0) & size.isfinite(), size, torch.ones_like(size))

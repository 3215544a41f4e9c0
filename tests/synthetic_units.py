"""Units without any training: concepts planted on grids of cells that come and go over the epochs.

A cell of a network is a concept from its birth to its death (some never are, many never die). Students have more cells
on the foreground, fewer on the background, earlier births and fewer deaths than the baseline by `advantage` (0: none).
What is planted is returned by `planted` under the same arguments, so that a test can count it by hand.
"""

from collections.abc import Sequence

import numpy as np
import torch

from kdprobe.analysis import CountSettings, Measurement
from kdprobe.analysis.unit import MeasuredNetwork, Unit

SETTINGS = CountSettings(redraws=4, resamples=100)
LEVEL, GROUND = -2.6, 0.02  #: nats: entropy of cells without a concept, and how much it varies
CONTRAST = (0.4, 0.75)  #: nats below LEVEL: cells with a concept; every cell keeps its own


def synthetic_units(seeds: Sequence[int] = (0, 1, 2), **options) -> list[Unit]:
    """One unit for every seed; see `synthetic_unit`."""
    return [synthetic_unit(seed=seed, **options) for seed in seeds]


def synthetic_unit(
    *,
    seed: int = 0,
    data: str = "planted",
    model: str = "vgg_small",
    layer: str = "fc1",
    students: Sequence[str] = ("kd",),
    baseline: bool = True,
    images: int = 12,
    pool: int | None = None,
    classes: Sequence[str] = ("cat", "dog"),
    grid: int = 6,
    epochs: int = 5,
    first_epoch: int = 0,
    teacher_epochs: int | None = None,
    advantage: float = 0.3,
    noise: float = 0.01,
    sources: int | None = 3,
    settings: CountSettings = SETTINGS,
) -> Unit:
    """A unit of a teacher, a baseline (if asked for) and students over `images` images at epochs 0 ... `epochs`.

    Images are drawn by the seed from `pool` (default: all seeds have the same); their foreground and label belong to
    the id. `first_epoch`: that of the stage's start, as counted over all stages. `teacher_epochs` 0: its last epoch
    alone. noise: standard error of every cell in nats, in `sources` deviations shared by all networks; None:
    standard errors alone.
    """
    chosen = _chosen(seed, images, pool)
    foreground = torch.stack([_foreground(image, grid) for image in chosen])
    networks = {}
    for name in ["teacher", *(["baseline"] if baseline else []), *(f"student-{s}" for s in students)]:
        role = name.partition("-")[0]
        last = teacher_epochs if role == "teacher" and teacher_epochs is not None else epochs
        concepts = planted(
            name, seed=seed, images=images, pool=pool, grid=grid, epochs=last, advantage=advantage
        )
        measured = _measurement(concepts, name, seed, first_epoch, noise, sources)
        # A network that learns: from chance to something between 0.6 and 0.9.
        reached = 0.6 + 0.3 * _generator(seed, name, "accuracy").random()
        by_epoch = tuple(reached - (reached - 0.5) * 0.5**k for k in range(last + 1))
        recipe = name.partition("-")[2] or role
        networks[name] = MeasuredNetwork(role, recipe, measured, by_epoch[-1], by_epoch)
    return Unit(
        data=data,
        model=model,
        layer=layer,
        seed=seed,
        networks=networks,
        foreground=foreground,
        ids=tuple(f"image-{image:03d}" for image in chosen),
        labels=torch.tensor([image % len(classes) for image in chosen]),
        classes=tuple(classes),
        settings=settings,
    )


def planted(
    name: str,
    *,
    seed: int = 0,
    images: int = 12,
    pool: int | None = None,
    grid: int = 6,
    epochs: int = 5,
    advantage: float = 0.3,
) -> torch.Tensor:
    """(epochs + 1, images, grid, grid) bool: the concepts of the network `name`."""
    better = advantage if name.startswith(("student", "teacher")) else 0.0
    maps = np.zeros((epochs + 1, images, grid, grid), dtype=bool)
    for place, image in enumerate(_chosen(seed, images, pool)):
        inside = _foreground(image, grid).numpy()
        generator = _generator(seed, name, "cells", image)
        share = np.where(inside, 0.5 + better, 0.15 * (1 - better))
        holds = generator.random((grid, grid)) < share
        birth = generator.integers(0, epochs + 1, (grid, grid)) * (1 - better)
        dies = generator.random((grid, grid)) < 0.3 * (1 - better)
        life = np.where(dies, generator.integers(1, 3, (grid, grid)), epochs + 1)
        epoch = np.arange(epochs + 1)[:, None, None]
        maps[:, place] = holds & (epoch >= np.floor(birth)) & (epoch < np.floor(birth) + life)
    return torch.from_numpy(maps)


def _measurement(concepts, name, seed, first_epoch, noise, sources) -> Measurement:
    count, images, grid, _ = concepts.shape
    generator = _generator(seed, name, "entropy")
    contrast = generator.uniform(*CONTRAST, (images, grid, grid))
    entropy = LEVEL + GROUND * generator.standard_normal((count, images, grid, grid))
    entropy = torch.from_numpy(np.where(concepts.numpy(), entropy - contrast, entropy))
    steps = np.concatenate([[0.0], generator.uniform(0.05, 0.3, count - 1)])
    deviations = None
    if sources is not None:  # the same random numbers in all networks of a seed
        shape = (images, sources, grid, grid)
        drawn = _generator(seed, "all", "noise").choice([-1.0, 1.0], shape) * noise / sources**0.5
        deviations = torch.from_numpy(drawn).float().expand(count, *shape)
    return Measurement(
        entropy=entropy,
        std_error=torch.full_like(entropy, noise),
        usable=torch.ones(images, dtype=torch.bool),
        flagged=0,
        outcomes={"ok": images * count},
        epochs=tuple(range(first_epoch, first_epoch + count)),
        path=torch.from_numpy(steps.cumsum()),
        work={"work_forward": 0, "work_backward": 0},
        noise=deviations,
    )


def _chosen(seed: int, images: int, pool: int | None) -> list[int]:
    """Numbers of the images of a seed, sorted."""
    pool = images if pool is None else pool
    return sorted(_generator(seed, "images").permutation(pool)[:images].tolist())


def _foreground(image: int, grid: int) -> torch.Tensor:
    """A square of half the side, somewhere."""
    row, column = _generator(image, "foreground").integers(0, grid - grid // 2 + 1, 2)
    cells = torch.zeros(grid, grid, dtype=torch.bool)
    cells[row : row + grid // 2, column : column + grid // 2] = True
    return cells


def _generator(*words: int | str) -> np.random.Generator:
    return np.random.default_rng([int.from_bytes(str(word).encode(), "big") % 2**63 for word in words])

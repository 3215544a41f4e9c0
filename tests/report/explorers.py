"""Made-up data of the concept explorer: maps in which concepts appear, of any size, exact to the last bit."""

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from kdprobe.metrics import baseline_entropy
from kdprobe.records import ExperimentSummary, Explorer, ExplorerLayer, ExplorerNetwork, NetworkSummary


def picture(rng: np.random.Generator, side: int) -> bytes:
    """A PNG up to 64 pixels, above a JPEG, of noise over a slope: as hard to compress as a photograph."""
    slope = np.linspace(60, 190, side)[:, None, None] + np.linspace(-40, 40, 3)
    pixels = np.clip(slope + 12 * rng.standard_normal((side, side, 3)), 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG" if side <= 64 else "JPEG", quality=85)
    return file.getvalue()


def explorer(
    networks: tuple[NetworkSummary, ...],
    *,
    images: int = 5,
    counted: int | None = None,
    grid: int = 6,
    side: int = 24,
    scope: str = "dataset",
    empty: str = "skip",
    initial: bool | str = False,
    layers: tuple[str, ...] = ("fc1",),
    classes: tuple[str, ...] = ("goldfish", "bee"),
    seed: int = 0,
) -> Explorer:
    """Of `counted` images that count (default: all) the first `images`; the first of them never has a concept."""
    rng = np.random.default_rng(seed)
    counted = images if counted is None else counted
    foreground = rng.random((counted, grid, grid)) < 0.4
    foreground[:, 0, 0], foreground[:, -1, -1] = True, False
    made = []
    for layer in layers:
        of_layer = []
        for network in networks:
            shape = (len(network.epochs), counted, grid, grid)
            lower = np.linspace(0, 1, shape[0])[:, None, None, None] * foreground * rng.random(shape)
            entropy = -2.8 - lower + 0.15 * rng.standard_normal(shape)
            entropy[:, 0] = -2.0  # far above every baseline: no concept at any epoch
            baseline = baseline_entropy(entropy, foreground, scope).numpy()
            of_layer.append(
                ExplorerNetwork(
                    network.name,
                    network.role,
                    network.recipe,
                    network.epochs,
                    network.path,
                    network.accuracy_by_epoch,
                    entropy[:, :images],
                    baseline if scope == "dataset" else baseline[:, :images],
                    network.curves,
                )
            )
        made.append(ExplorerLayer(layer, tuple(of_layer)))
    return Explorer(
        margin=0.2,
        scope=scope,
        empty=empty,
        initial=initial,
        classes=classes,
        counted=counted,
        ids=tuple(f"{k:05d}" for k in range(images)),
        labels=tuple(k % len(classes) for k in range(images)),
        pictures=tuple(picture(rng, side) for _ in range(images)),
        sizes=((side, side),) * images,
        foreground=foreground[:images],
        layers=tuple(made),
    )


def explored(record: ExperimentSummary, **options) -> ExperimentSummary:
    """`record` with an explorer of its networks."""
    return replace(record, explorer=explorer(record.networks, **options))

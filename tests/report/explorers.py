"""Made-up data of the concept explorer: maps in which concepts appear, of any size, exact to the last bit."""

from collections.abc import Callable, Sequence
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


def explorer_of(
    networks: Sequence[NetworkSummary],
    maps: Callable[[NetworkSummary, str], np.ndarray],
    foreground: np.ndarray,
    *,
    ids: tuple[str, ...],
    side: int,
    rng: np.random.Generator,
    layers: tuple[str, ...],
    classes: tuple[str, ...],
    scope: str = "dataset",
    empty: str = "skip",
    initial: bool | str = False,
) -> Explorer:
    """The first of the C images that count, by their `ids`; foreground: (C, g, g) bool; maps: (E, C, g, g) nats of a
    network at a layer."""
    shown = len(ids)

    def measured(network: NetworkSummary, layer: str) -> ExplorerNetwork:
        entropy = maps(network, layer)
        baseline = baseline_entropy(entropy, foreground, scope).numpy()
        return ExplorerNetwork(
            name=network.name,
            role=network.role,
            recipe=network.recipe,
            epochs=network.epochs,
            path=network.path,
            accuracy=network.accuracy_by_epoch,
            entropy=entropy[:, :shown],
            baseline_entropy=baseline if scope == "dataset" else baseline[:, :shown],
            curves=network.curves,
        )

    return Explorer(
        margin=0.2,
        scope=scope,
        empty=empty,
        initial=initial,
        classes=classes,
        counted=len(foreground),
        ids=ids,
        labels=tuple(k % len(classes) for k in range(shown)),
        layers=tuple(ExplorerLayer(layer, tuple(measured(n, layer) for n in networks)) for layer in layers),
        pictures=tuple(picture(rng, side) for _ in range(shown)),
        sizes=((side, side),) * shown,
        foreground=foreground[:shown],
    )


def explorer(
    networks: Sequence[NetworkSummary],
    *,
    images: int = 5,
    counted: int | None = None,
    grid: int = 6,
    side: int = 24,
    layers: tuple[str, ...] = ("fc1",),
    classes: tuple[str, ...] = ("goldfish", "bee"),
    seed: int = 0,
    **rules,
) -> Explorer:
    """Of `counted` images that count (default: all) the first `images`; the first of them never has a concept. rules:
    scope, empty, initial."""
    rng = np.random.default_rng(seed)
    counted = images if counted is None else counted
    foreground = rng.random((counted, grid, grid)) < 0.4
    foreground[:, 0, 0], foreground[:, -1, -1] = True, False

    def maps(network: NetworkSummary, layer: str) -> np.ndarray:
        shape = (len(network.epochs), counted, grid, grid)
        lower = np.linspace(0, 1, shape[0])[:, None, None, None] * foreground * rng.random(shape)
        entropy = -2.8 - lower + 0.15 * rng.standard_normal(shape)
        entropy[:, 0] = -2.0  # far above every baseline: no concept at any epoch
        return entropy

    ids = tuple(f"{k:05d}" for k in range(images))
    look = {"ids": ids, "side": side, "layers": layers, "classes": classes}
    return explorer_of(networks, maps, foreground, rng=rng, **look, **rules)


def explored(record: ExperimentSummary, **options) -> ExperimentSummary:
    """`record` with an explorer of its networks."""
    return replace(record, explorer=explorer(record.networks, **options))

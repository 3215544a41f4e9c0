"""The data of the report's concept explorer: exact maps of the first images that count, their pictures, the curves."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import torch
from PIL import Image

from kdprobe.analysis.measurement import Measurement
from kdprobe.analysis.summary import CountSettings
from kdprobe.data import LabelledImages, Probe
from kdprobe.metrics import baseline_entropy
from kdprobe.records import Explorer, ExplorerLayer, ExplorerNetwork, NetworkSummary

SIDE = 192  #: pixels that the longer side of a picture has at most
_PLAIN = 64  #: pixels up to which a picture is a PNG, above a JPEG
MAPS = 9_000_000  #: bytes of maps in a page, a third more when written in base64


def images_shown(measurements: Mapping[str, Measurement], usable: torch.Tensor, most: int) -> int:
    """How many of the usable images a page takes: at most `most`, and as many as have room (one at least)."""
    return min(most, int(usable.sum()), max(1, MAPS // _bytes_per_image(measurements)))


def has_room(explorer: Explorer, measurements: Mapping[str, Measurement]) -> bool:
    """Whether another layer fits into the page of `explorer`."""
    there = sum(n.entropy.nbytes for layer in explorer.layers for n in layer.networks)
    return there + len(explorer.ids) * _bytes_per_image(measurements) <= MAPS


def _bytes_per_image(measurements: Mapping[str, Measurement]) -> int:
    return sum(8 * m.entropy.shape[0] * m.entropy.shape[-1] ** 2 for m in measurements.values())


def explorer_images(
    probe: Probe, data: LabelledImages, usable: torch.Tensor, settings: CountSettings, count: int
) -> Explorer:
    """The first `count` images that are usable, a (N,) bool mask of the probe, and no layer yet."""
    rows = usable.nonzero().flatten().tolist()[:count]
    pictures = [_picture(data.to_display(probe.images[row])) for row in rows]
    return Explorer(
        margin=settings.margin,
        scope=settings.scope,
        empty=settings.empty,
        initial=settings.initial,
        classes=tuple(map(str, data.classes)),
        counted=int(usable.sum()),
        ids=tuple(probe.ids[row] for row in rows),
        labels=tuple(int(probe.labels[row]) for row in rows),
        pictures=tuple(file for file, _ in pictures),
        sizes=tuple(size for _, size in pictures),
        foreground=probe.foreground_cells[rows].numpy(),
        layers=(),
    )


def explorer_layer(
    networks: Sequence[NetworkSummary],
    measurements: Mapping[str, Measurement],
    foreground: torch.Tensor,
    usable: torch.Tensor,
    settings: CountSettings,
    count: int,
) -> ExplorerLayer:
    """The maps of the first `count` usable images.

    networks: what is known of each at this layer. measurements: by their names, of all N probe images. foreground:
    (N, g, g) bool. H-bar is that of all usable images (scope dataset), as in the metrics.
    """
    found = []
    for network in networks:
        entropy = measurements[network.name].entropy[:, usable]
        baseline = baseline_entropy(entropy, foreground[usable], settings.scope)
        found.append(
            ExplorerNetwork(
                name=network.name,
                role=network.role,
                recipe=network.recipe,
                epochs=network.epochs,
                path=network.path,
                accuracy=network.accuracy_by_epoch,
                entropy=entropy[:, :count].numpy().copy(),
                baseline_entropy=(baseline if settings.scope == "dataset" else baseline[:, :count]).numpy(),
                curves=network.curves,
            )
        )
    return ExplorerLayer(networks[0].layer, tuple(found))


def _picture(image: np.ndarray) -> tuple[bytes, tuple[int, int]]:
    """The (H, W, C) `image` in 0 ... 1 as a file of at most SIDE pixels a side, and its width and height."""
    pixels = np.round(255 * image).astype(np.uint8)
    made = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., :1].repeat(3, 2))
    if max(made.size) > SIDE:
        made.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    if max(made.size) <= _PLAIN:
        made.save(file, "PNG", optimize=True)
    else:
        made.save(file, "JPEG", quality=85, optimize=True)
    return file.getvalue(), made.size

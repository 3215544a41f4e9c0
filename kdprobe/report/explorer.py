"""The data of the concept explorer as the page carries it."""

from base64 import b64encode
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from kdprobe.pages import data_uri, json_markup
from kdprobe.records import Explorer, ExplorerNetwork
from kdprobe.report.comparison import plain

VERSION = 1
_JPEG = b"\xff\xd8"


def explorable(explorer: Explorer | None) -> Explorer | None:
    """`explorer` without layers at which no network was measured; None without an image, or without a network at the
    first layer, which is that of the tables."""
    if explorer is None or not explorer.ids or not explorer.layers or not explorer.layers[0].networks:
        return None
    return replace(explorer, layers=tuple(layer for layer in explorer.layers if layer.networks))


def explorer_json(explorer: Explorer) -> Markup:
    """`explorer_data` as the content of a script element: no text in it can end the element."""
    return json_markup(explorer_data(explorer))


def explorer_data(explorer: Explorer) -> dict[str, Any]:
    """What the page's script reads, JSON-able: `version`, `settings` of counting, `classes`, `images_counted`, `images`
    (id, label, picture with its width and height, foreground) and `layers` (networks: epochs, weight path, accuracy,
    entropy, H-bar, curves).

    Entropies and H-bar are the float64 values themselves, little-endian, in base64: the page counts with the same
    bits as `kdprobe.metrics`. Foregrounds are g * g bits in rows, the first cell the highest bit of the first byte.
    """
    return {
        "version": VERSION,
        "settings": {
            "margin": explorer.margin,
            "scope": explorer.scope,
            "empty": explorer.empty,
            "initial": explorer.initial,
            "grid": int(explorer.foreground.shape[-1]),
        },
        "classes": list(explorer.classes),
        "images_counted": explorer.counted,
        "images": [
            {
                "id": explorer.ids[k],
                "label": explorer.labels[k],
                "picture": _uri(picture),
                "width": explorer.sizes[k][0],
                "height": explorer.sizes[k][1],
                "foreground": _base64(np.packbits(explorer.foreground[k].ravel()).tobytes()),
            }
            for k, picture in enumerate(explorer.pictures)
        ],
        "layers": [
            {"layer": layer.layer, "networks": [_network(network) for network in layer.networks]}
            for layer in explorer.layers
        ],
    }


def _network(network: ExplorerNetwork) -> dict[str, Any]:
    return {
        "name": network.name,
        "role": network.role,
        "recipe": network.recipe,
        "epochs": list(network.epochs),
        "path": plain(network.path),
        "accuracy": plain(network.accuracy),
        "entropy": _doubles(network.entropy),
        "baseline_entropy": _doubles(network.baseline_entropy),
        "curves": {
            metric: [plain([p.value, p.low, p.high, p.n]) for p in points]
            for metric, points in network.curves.items()
        },
    }


def _doubles(values: Any) -> str:
    return _base64(np.ascontiguousarray(values, "<f8").tobytes())


def _uri(picture: bytes) -> str:
    return data_uri("image/jpeg" if picture.startswith(_JPEG) else "image/png", picture)


def _base64(content: bytes) -> str:
    return b64encode(content).decode()

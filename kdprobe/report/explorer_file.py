"""The data of the concept explorer as named arrays, and back: nothing is lost."""

import json
from dataclasses import asdict, fields, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from kdprobe.records import Explorer, ExplorerLayer, ExplorerNetwork, Interval

_ARRAYS = ("entropy", "baseline_entropy")


def explorer_bytes(explorer: Explorer) -> bytes:
    """An .npz file: one JSON text (`index`), the rest numbers; the same record gives the same bytes."""
    arrays = {"foreground": explorer.foreground}
    for k, picture in enumerate(explorer.pictures):
        arrays[f"picture/{k}"] = np.frombuffer(picture, np.uint8)
    layers = []
    for i, layer in enumerate(explorer.layers):
        for k, network in enumerate(layer.networks):
            arrays |= {f"{i}/{k}/{name}": getattr(network, name) for name in _ARRAYS}
        layers.append({"layer": layer.layer, "networks": [_header(network) for network in layer.networks]})
    bare = replace(explorer, pictures=(), foreground=None, layers=())
    target = BytesIO()
    np.savez_compressed(target, index=np.array(json.dumps(asdict(bare) | {"layers": layers})), **arrays)
    return target.getvalue()


def _header(network: ExplorerNetwork) -> dict[str, Any]:
    return asdict(replace(network, **dict.fromkeys(_ARRAYS)))


def read_explorer(path: Path) -> Explorer:
    """The record that `explorer_bytes` wrote; pickled content is refused."""
    with np.load(path, allow_pickle=False) as arrays:
        index = json.loads(str(arrays["index"]))
        layers = [
            ExplorerLayer(
                item["layer"],
                tuple(
                    _network(network, {name: arrays[f"{i}/{k}/{name}"] for name in _ARRAYS})
                    for k, network in enumerate(item["networks"])
                ),
            )
            for i, item in enumerate(index["layers"])
        ]
        read = {
            "pictures": [arrays[f"picture/{k}"].tobytes() for k in range(len(index["ids"]))],
            "foreground": arrays["foreground"],
            "layers": layers,
            "sizes": [tuple(size) for size in index["sizes"]],
        }
    return Explorer(**{name: _frozen((index | read)[name]) for name in _names(Explorer)})


def _network(header: dict[str, Any], arrays: dict[str, Any]) -> ExplorerNetwork:
    curves = {m: tuple(Interval(**point) for point in points) for m, points in header["curves"].items()}
    values = header | arrays | {"curves": curves}
    return ExplorerNetwork(**{name: _frozen(values[name]) for name in _names(ExplorerNetwork)})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]

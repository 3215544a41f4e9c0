"""Concept maps as named arrays, and back."""

import json
from pathlib import Path

import numpy as np

from kdprobe.records import ConceptMaps

MAP_ARRAYS = ("image", "foreground", "foreground_cells")


def map_arrays(maps: tuple[ConceptMaps, ...]) -> dict[str, np.ndarray]:
    """The concept maps as named arrays: one JSON text (`index`) for the names, the rest numbers."""
    index = [
        {"image_id": m.image_id, "label": m.label, "epochs": list(m.epochs), "networks": list(m.entropy)}
        for m in maps
    ]
    arrays = {"index": np.array(json.dumps(index))}
    for i, record in enumerate(maps):
        for key in MAP_ARRAYS:
            arrays[f"{i}/{key}"] = np.asarray(getattr(record, key))
        for k, name in enumerate(record.entropy):
            arrays[f"{i}/entropy/{k}"] = np.asarray(record.entropy[name])
            arrays[f"{i}/concepts/{k}"] = np.asarray(record.concepts[name])
    return arrays


def read_maps(path: Path) -> tuple[ConceptMaps, ...]:
    """The concept maps that `map_arrays` describes, from an .npz file; pickled content is refused."""
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(
            ConceptMaps(
                image_id=item["image_id"],
                label=item["label"],
                epochs=tuple(item["epochs"]),
                **{key: arrays[f"{i}/{key}"] for key in MAP_ARRAYS},
                **{
                    kind: {name: arrays[f"{i}/{kind}/{k}"] for k, name in enumerate(item["networks"])}
                    for kind in ("entropy", "concepts")
                },
            )
            for i, item in enumerate(json.loads(str(arrays["index"])))
        )

"""The way of the weights summed over optimiser steps, as the training wrote it down."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from kdprobe.errors import SnapshotError
from kdprobe.storage import read_jsonl

PATH_FILE = "path_length.jsonl"


def step_path(network_folder: Path, names: Sequence[str], first: int, epochs: Sequence[int]) -> Tensor:
    """(len(epochs),) float64: the way of the weights `names`, step by step, from epoch `first` to each of `epochs`.

    In units of their norm at `first`, the start of the stage. Read from path_length.jsonl, as `WeightSnapshots` writes
    it; of an epoch that was trained again the last line counts. Raises SnapshotError if the file or an epoch is
    missing, or if it follows other weights.
    """
    path = Path(network_folder) / PATH_FILE
    later = [epoch for epoch in epochs if epoch > first]
    if not later:
        return torch.zeros(len(epochs), dtype=torch.float64)
    if not path.is_file():
        raise SnapshotError(
            f"{path} is missing: this training did not follow its weights step by step; train with "
            "training.path_length true in a new folder, or set measure.path epochs."
        )
    lines = {line.get("epoch"): line for line in read_jsonl(path)}
    lacking = [epoch for epoch in later if epoch not in lines or lines[epoch].get("path_length") is None]
    if lacking:
        raise SnapshotError(
            f"{path} says nothing of epoch {', '.join(map(str, lacking))}; train this network again in a new folder, "
            "or set measure.path epochs."
        )
    followed = [str(name) for name in lines[later[-1]].get("parameters", ())]
    if sorted(followed) != sorted(names):
        raise SnapshotError(
            f"{path} follows {_brief(followed)}, and measure.weights asks for {_brief(names)}; ask for the "
            "weights and the layer that were set in training, or set measure.path epochs."
        )
    found = [0.0 if epoch == first else lines[epoch]["path_length"] for epoch in epochs]
    return torch.tensor(found, dtype=torch.float64)


def _brief(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]} and {len(names) - 2} more"

"""Folders as experiments leave them while they train: logs of trainer and live probe, and a config."""

import json
from pathlib import Path
from typing import Any

CONFIG = """
training: {epochs: 6, classifier_epochs: 3}
teacher: {epochs: 4, weights: null}
students: [kd, feature]
"""


def number(value: float | None, reach: float = 1.0, n: int = 8) -> dict[str, Any]:
    """A value with its interval."""
    ends = (None, None) if value is None else (value - reach, value + reach)
    return {"value": value, "low": ends[0], "high": ends[1], "n": n}


def probe_line(epoch: int, **changes: Any) -> dict[str, Any]:
    """Of the live probe; the counts grow with the epoch."""
    line = {
        "probe": 1,
        "epoch": epoch,
        "stage": 0,
        "step": 10 * epoch,
        "layer": "fc1",
        "images": 8,
        "seconds": 0.5,
        "weight_path": 0.1 * epoch,
        "n_foreground": number(2.0 * epoch),
        "n_background": number(8.0),
        "relevance_ratio": number(2 * epoch / (2 * epoch + 8), 0.05),
        "stability_so_far": number(None, n=0) if epoch == 0 else number(0.75, 0.125),
    }
    return line | changes


def trainer_line(epoch: int, **changes: Any) -> dict[str, Any]:
    """Of the trainer."""
    line = {"epoch": epoch, "stage": 0, "step": 10 * epoch, "loss": 1.0, "accuracy": 0.5, "seconds": 1.0}
    return line | changes


def write_log(folder: Path, *lines: dict[str, Any] | str) -> Path:
    """metrics.jsonl in `folder`; texts as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line, sort_keys=True) for line in lines]
    (folder / "metrics.jsonl").write_text("".join(f"{text}\n" for text in texts))
    return folder


def experiment(folder: Path, **epochs: int) -> Path:
    """Its config, and for each network named (with _ for -) the lines up to an epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(CONFIG)
    for name, last in epochs.items():
        lines = [make(epoch) for epoch in range(last + 1) for make in (trainer_line, probe_line)]
        write_log(folder / "networks" / name.replace("_", "-"), *lines)
    return folder

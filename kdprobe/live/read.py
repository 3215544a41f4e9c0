"""What the trainer and the live probe wrote down of each network, read while they are at it. Imports no torch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kdprobe.errors import DataError
from kdprobe.live.words import WORDS

LOG = "metrics.jsonl"


@dataclass(frozen=True)
class NetworkLog:
    """What metrics.jsonl says of one network."""

    lines: list[dict[str, Any]]  #: of the live probe, one for each epoch observed, ascending
    #: the last that is noted by trainer or probe, counted over all stages; 0: before the first
    epoch: int | None
    accuracy: float | None  #: 0 ... 1, at the last epoch of the trainer's lines
    written: float  #: when the log was last written, in seconds since 1970
    finished: bool  #: whether its run.json is there, which is written last


def read_lines(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The lines of the live probe by network, of an experiment's `folder` or of one that holds a metrics.jsonl (the
    network then goes by the folder's name). Teacher and baseline come first, then the others by name.

    Of each epoch the last line counts; epochs ascend. A line that is torn or says something else is skipped; numbers
    that are not finite are None. Empty if there is no log yet. Raises DataError if a log cannot be read.
    """
    return {name: log.lines for name, log in read_logs(folder).items()}


def read_logs(folder: str | Path) -> dict[str, NetworkLog]:
    """The same with what the trainer noted."""
    folder = Path(folder)
    paths = [*(folder / "networks").glob(f"*/{LOG}")] or [folder / LOG]
    logs = {path.resolve().parent.name: _log(path) for path in paths}
    first = {"teacher": 0, "baseline": 1}
    names = sorted(logs, key=lambda name: (first.get(name, len(first)), name))
    return {name: logs[name] for name in names if logs[name] is not None}


def _log(path: Path) -> NetworkLog | None:
    finished = (path.parent / "run.json").exists()
    try:
        found = path.stat()
        lines, epoch, accuracy = _content(path.resolve(), found.st_mtime_ns, found.st_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"Cannot read {path}: {error.strerror}; correct its permissions or the path."
        ) from error
    return NetworkLog([*lines], epoch, accuracy, found.st_mtime, finished)


@lru_cache(maxsize=64)  # most networks of an experiment are finished, or not begun
def _content(path: Path, *_changed: int) -> tuple[tuple[dict[str, Any], ...], int | None, float | None]:
    """Lines of the live probe, last epoch, last accuracy."""
    lines, epoch, accuracy = {}, None, None
    for line in _objects(path.read_bytes()):
        epoch = max(line["epoch"], epoch or 0)
        if "probe" not in line:
            accuracy = _number(line.get("accuracy"))
        elif (observed := _observed(line)) is not None:
            lines[line["epoch"]] = observed
    return tuple(lines[each] for each in sorted(lines)), epoch, accuracy


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    """The objects with an epoch, one per line."""
    for line in text.splitlines():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and type(values.get("epoch")) is int and values["epoch"] >= 0:
            yield values


def _observed(line: dict[str, Any]) -> dict[str, Any] | None:
    """`line` with its numbers finite or None; None if it is no line of the live probe."""
    found = {name: line.get(name) for name in WORDS}
    if not all(isinstance(value, dict) for value in found.values()):
        return None
    for name, value in found.items():
        count = value.get("n")
        found[name] = {part: _number(value.get(part)) for part in ("value", "low", "high")}
        found[name]["n"] = count if type(count) is int and count >= 0 else 0
    return {**line, **found, "weight_path": _number(line.get("weight_path"))}


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and abs(value) < 1e300 else None  # not of NaN either

"""Settings and logs as JSON: whole files replaced atomically, logs one line at a time."""

import json
import math
import os
import warnings
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kdprobe.errors import InputError
from kdprobe.storage.atomic import fsync_folder, make_folder, named_failure, write_all, write_atomically
from kdprobe.storage.envelope import corrupt


def write_json(path: str | os.PathLike, values: Mapping[str, Any]) -> None:
    """Replaces the file at `path` atomically: sorted keys, floats exact, NaN and infinities as null.

    Takes dicts (text or int keys; ints become texts), lists, tuples, texts, bools, None, numbers, paths, enum
    members (by value), numpy scalars and arrays, torch tensors. Equal values give equal bytes.

    Raises InputError for anything else, naming the place; SnapshotError if the system refuses.
    """
    write_atomically(path, json_bytes(values))


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """What `write_json` writes of `values`. Raises InputError for what JSON does not know."""
    text = json.dumps(_object(values), sort_keys=True, indent=2, allow_nan=False)
    return (text + "\n").encode("ascii")


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """The object in the file at `path`.

    Raises SnapshotError if it is missing or cannot be read, SnapshotCorruptError if it is not a JSON object.
    """
    path = Path(path)
    with named_failure("read", path):
        data = path.read_bytes()
    values = _parsed(data)
    if values is None:
        raise corrupt(path, "it is not a JSON object")
    return values


class Lines(list):
    """The objects of a log, and in `skipped` a sentence on a torn last line, if there was one."""

    skipped: tuple[str, ...] = ()


def append_jsonl(path: str | os.PathLike, values: Mapping[str, Any]) -> None:
    """Adds one line to the log at `path`; on return it is on the disk. For a single writer.

    A torn last line (left by a crash, never acknowledged) is removed first; if the write fails, what was
    written of the new line is taken back. Same values as `write_json`.

    Raises InputError for a value that JSON does not know, SnapshotError if the system refuses.
    """
    path = Path(path)
    line = json.dumps(_object(values), sort_keys=True, allow_nan=False).encode("ascii") + b"\n"
    with named_failure("write", path):
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = _mended_size(descriptor)
            os.lseek(descriptor, size, os.SEEK_SET)
            try:
                write_all(descriptor, line)
                os.fsync(descriptor)
                if size == 0:
                    fsync_folder(path.parent)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


def read_jsonl(path: str | os.PathLike) -> Lines:
    """The objects in the log at `path`, one per line; a torn last line is left out, with a warning.

    Raises SnapshotError if the file is missing or cannot be read, SnapshotCorruptError with the number
    of the line if any other line is not a JSON object.
    """
    path = Path(path)
    with named_failure("read", path), path.open("rb") as file:
        texts = file.readlines()
    lines = Lines()
    for number, line in enumerate(texts, start=1):
        values = _parsed(line)
        if values is not None:
            lines.append(values)
        elif number == len(texts) and _torn(line):
            lines.skipped = (f"{path}: the last line ({len(line)} bytes) is torn and left out.",)
            warnings.warn(lines.skipped[0], UserWarning, stacklevel=2)
        else:
            raise corrupt(path, f"line {number} is not a JSON object")
    return lines


def plain(value: Any, place: str, *, keep_non_finite: bool = False) -> Any:
    """`value` in the types that JSON knows; NaN and infinities become None unless they are to be kept.

    Raises InputError naming the place of a value that JSON does not know.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().tolist()
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if keep_non_finite or math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return [plain(v, f"{place}[{i}]", keep_non_finite=keep_non_finite) for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        keys = [str(key) if type(key) is int else key for key in value]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise InputError(
                f"Expected different texts (or whole numbers) as keys in {place}, got {list(value)[:5]}."
            )
        pairs = zip(keys, value.values(), strict=True)
        return {key: plain(v, f"{place}.{key}", keep_non_finite=keep_non_finite) for key, v in pairs}
    raise InputError(
        f"Expected at {place} a value that JSON knows, got {type(value).__name__}; convert it first."
    )


def _object(values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise InputError(f"Expected a dict, got {type(values).__name__}; wrap the value in a dict.")
    return plain(values, "the dict")


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _torn(line: bytes) -> bool:
    """True if a crash may have left this last line: it has no end, or holes where the disk got only parts of it."""
    return (not line.endswith(b"\n") or b"\0" in line) and _parsed(line) is None


def _mended_size(descriptor: int) -> int:
    """Where the next line begins: a torn last line is cut off, a whole one gets its newline."""
    size = os.fstat(descriptor).st_size
    last = _last_line(descriptor, size)
    if _torn(last):
        os.ftruncate(descriptor, size - len(last))
        return size - len(last)
    if last and not last.endswith(b"\n"):
        os.lseek(descriptor, size, os.SEEK_SET)
        write_all(descriptor, b"\n")
        return size + 1
    return size


def _last_line(descriptor: int, size: int) -> bytes:
    """The last line, with its newline if it has one."""
    length = 4096
    while True:
        start = max(0, size - length)
        tail = os.pread(descriptor, size - start, start)
        if start == 0 or b"\n" in tail[:-1]:
            return tail[tail[:-1].rfind(b"\n") + 1 :]
        length *= 2

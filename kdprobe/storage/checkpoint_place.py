"""To which epoch and step a checkpoint of another tool belongs, by what it says itself."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kdprobe.errors import SnapshotError
from kdprobe.weight_files import WeightFile

_EPOCH = re.compile(r"(?<![a-z])(?:epochs?|ep)([=_\-. ]?)(\d{1,9})(?!\d)", re.ASCII | re.IGNORECASE)
_STEP = re.compile(
    r"(?<![a-z])(?:global_?)?(?:steps?|iter)[=_\-. ]?(\d{1,18})(?!\d)", re.ASCII | re.IGNORECASE
)
_STEP_KEYS = ("global_step", "step", "iteration")
_LARGEST = 2**63 - 1


class Place(NamedTuple):
    """Where a checkpoint stands in its training."""

    epoch: int | None  #: completed epochs; None while nothing has said it
    step: int | None  #: completed optimiser steps; None if nothing says it
    partial: bool = False  #: taken inside an epoch
    stage: int = 0
    weights: str = "raw"
    source: str = "its content"


def checkpoint_place(file: WeightFile, path: str | Path, epoch: int | None = None) -> Place:
    """What the content of `path` says of epoch and step, and what it does not say, the file's name.

    Lightning counts epochs from 0 and writes at the end of one: its epoch 3 is 4 completed epochs here; so is
    ``epoch=3`` in a name, which is Lightning's way of writing. All other numbers are taken as they stand. A given
    `epoch` (completed ones) stands above both.

    Raises SnapshotError if nothing says the epoch, the name gives two, or another than the content.
    """
    path = Path(path)
    said, steps = _content_place(file), _steps(path)
    step = said.step if said.step is not None or len(steps) != 1 else steps.pop()
    if epoch is not None:
        return said._replace(epoch=epoch, step=step, partial=False, source="--epochs")
    named = _epochs(path)
    if said.epoch is None:
        if len(named) != 1:
            problem = "gives more than one epoch" if named else "gives no epoch, nor does its content"
            raise SnapshotError(f"The name of {path} {problem}; say which with --epochs.")
        return said._replace(epoch=named.pop(), step=step, source="its name")
    if named and named != {said.epoch} and not _is_lightning(file.content):
        raise SnapshotError(
            f"{path} is of epoch {said.epoch} by its content and of epoch {', '.join(map(str, sorted(named)))} "
            "by its name; say which with --epochs."
        )
    return said._replace(step=step)


def _content_place(file: WeightFile) -> Place:
    content = file.content if isinstance(file.content, Mapping) else {}
    if _is_lightning(content):
        return _lightning_place(content)
    said = {**file.metadata, **{key: value for key, value in content.items() if isinstance(key, str)}}
    step = next((_number(said.get(key)) for key in _STEP_KEYS if _number(said.get(key)) is not None), None)
    place = Place(_number(said.get("epoch")), step)
    if file.metadata.get("written_by") == "kdprobe":
        averaged = file.metadata.get("weights") == "averaged"
        return place._replace(
            partial=file.metadata.get("partial") == "true",
            stage=_number(file.metadata.get("stage")) or 0,
            weights="averaged" if averaged else "raw",
        )
    return place


def _is_lightning(content: Any) -> bool:
    return isinstance(content, Mapping) and "pytorch-lightning_version" in content


def _lightning_place(content: Mapping[str, Any]) -> Place:
    epoch, step = _number(content.get("epoch")), _number(content.get("global_step"))
    try:
        loop = content["loops"]["fit_loop"]
        begun = _number(loop["epoch_progress"]["current"]["ready"])
        whole = loop["epoch_loop.batch_progress"]["is_last_batch"] is True
    except (KeyError, TypeError):  # before 1.5 no loops were kept, and the epoch was counted as here
        return Place(epoch, step)
    if begun is None:
        return Place(epoch, step)
    return Place(begun, step) if whole or begun == 0 else Place(begun - 1, step, partial=True)


def _epochs(path: Path) -> set[int]:
    return {int(number) + (sign == "=") for sign, number in _EPOCH.findall(path.stem)}


def _steps(path: Path) -> set[int]:
    return {int(number) for number in _STEP.findall(path.stem)}


def _number(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        return int(value)
    return value if type(value) is int and 0 <= value <= _LARGEST else None

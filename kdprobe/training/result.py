"""What a training reports."""

from dataclasses import dataclass
from typing import NamedTuple

from kdprobe.records import Record


class StageRecord(NamedTuple):
    """One stage as it was trained. Its snapshots are those of `first_epoch` ... `last_epoch`."""

    index: int
    name: str
    first_epoch: int  #: 0 in the first stage; then one after the last epoch of the stage before
    last_epoch: int  #: first_epoch - 1 if the stage was left out because it had nothing to learn
    classifier_trained: bool  #: False: the loss did not see the logits, so the accuracy says nothing
    analysed: bool  #: whether the concepts are to be measured on this stage


@dataclass(frozen=True)
class TrainingResult(Record):
    """How a training went."""

    accuracy: float | None  #: on the test split after the last epoch, 0 ... 1; None without a test split
    accuracy_by_epoch: dict[int, float | None]  #: from epoch 0, the initial weights
    loss_by_epoch: dict[int, float]  #: mean over the epoch's images, from epoch 1
    seconds: float  #: wall time of everything
    stages: tuple[StageRecord, ...]
    steps: int  #: optimiser steps over all stages
    epochs_not_kept: tuple[int, ...] = ()  #: without a snapshot of their own, from epoch 0
    failed_snapshots: int = 0  #: states that should have been kept and could not be written
    failed_notes: int = 0  #: log lines and resume points that could not be written when they were due

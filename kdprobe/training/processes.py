"""Trainings of several processes: who writes, and how all stop together."""

from collections.abc import Callable

import lightning.pytorch as L
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

from kdprobe.errors import ConfigError, SnapshotError

_SHARDED = (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)


def check_strategy(strategy: object) -> None:
    """Raises ConfigError for a strategy under which no process has all the weights."""
    if isinstance(strategy, _SHARDED):
        raise ConfigError(
            f"{type(strategy).__name__} shards the weights, so that no process has them all; "
            'use strategy="ddp" to keep snapshots.'
        )


def in_first_process(trainer: L.Trainer, action: Callable[[], None]) -> None:
    """Does `action` in the first process, for which all wait; if it raises there, all raise.

    Otherwise the others would wait for ever, in their next step, for one that has stopped.
    """
    error = None
    if trainer.is_global_zero:
        try:
            action()
        except Exception as raised:  # any type, since the others wait for ever if one is missed; raised below
            error = raised
    sentence = trainer.strategy.broadcast(None if error is None else str(error))
    if error is not None:
        raise error
    if sentence is not None:
        raise SnapshotError(sentence)

"""Where the averaged weights are while Lightning's WeightAveraging (EMA and the like) keeps them."""

import lightning.pytorch as L
from lightning.pytorch.callbacks import WeightAveraging
from torch import nn

from kdprobe.errors import ConfigError


def averages(trainer: L.Trainer) -> bool:
    """Whether the training averages its weights."""
    return any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks)


def averaged_module(trainer: L.Trainer) -> nn.Module:
    """The copy of the LightningModule that holds the averaged weights.

    Raises ConfigError unless the Trainer has one WeightAveraging.
    """
    found = [callback for callback in trainer.callbacks if isinstance(callback, WeightAveraging)]
    if len(found) != 1:
        raise ConfigError(
            f'weights="averaged" needs one WeightAveraging among the callbacks, got {len(found)}; '
            'add one, or take weights="raw".'
        )
    return found[0]._average_model.module  # Lightning offers no public way to it


def placed(callbacks: list[L.Callback], own: L.Callback, weights: str) -> list[L.Callback]:
    """`callbacks` with `own` where it sees what it saves: after WeightAveraging the averaged weights of the
    same step, before it the raw ones, also when the training ends and they are overwritten with the averaged.
    """
    others = [callback for callback in callbacks if callback is not own]
    places = [i for i, callback in enumerate(others) if isinstance(callback, WeightAveraging)]
    if not places:
        return callbacks
    place = places[0] if weights == "raw" else places[-1] + 1
    return [*others[:place], own, *others[place:]]

"""Which module holds the weights to save; Lightning's WeightAveraging (EMA and the like) keeps its own."""

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


def submodule(pl_module: nn.Module, name: str | None) -> nn.Module:
    """The module `name` of `pl_module`, dotted if deeper; None: itself. Raises ConfigError if it has none."""
    if name is None:
        return pl_module
    try:
        return pl_module.get_submodule(name)
    except AttributeError as error:
        children = ", ".join(child for child, _ in pl_module.named_children()) or "none"
        raise ConfigError(
            f"{type(pl_module).__name__} has no module {name!r} to save; its modules: {children}."
        ) from error

"""What the BatchNorms of a teacher say of its features, and how they take the statistics of a batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from kdprobe.errors import LayerError
from kdprobe.estimator.arithmetic import suited
from kdprobe.estimator.taps import bare, measuring, truncated_forward

_BatchNorm = nn.modules.batchnorm._BatchNorm  # torch has no public name for those of one to three dimensions


def norm_names(model: nn.Module, layers: Sequence[str], example: Tensor) -> tuple[str, ...]:
    """For each of `layers` the name of the BatchNorm that its value was last normalised by.

    That is the last one with as many channels that ran before the layer had its value (the layer itself, if it is one),
    in a pass of the images `example`. Raises LayerError if there is none, or if it has no weight and bias.
    """
    return tuple(_norm_before(bare(model), layer, example) for layer in layers)


def norms_of(model: nn.Module, names: Sequence[str]) -> tuple[Tensor, ...]:
    """Of each of the BatchNorms with these names (2, C): its bias and the absolute values of its weight, at present."""
    found = [bare(model).get_submodule(name) for name in names]
    return tuple(torch.stack([norm.bias.detach(), norm.weight.detach().abs()]) for norm in found)


def _norm_before(model: nn.Module, layer: str, example: Tensor) -> str:
    ran: list[str] = []

    def note(name: str):
        return lambda _module, _inputs, _output: ran.append(name)

    norms = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    handles = [module.register_forward_hook(note(name)) for name, module in norms.items()]
    try:
        with measuring(model), torch.no_grad():  # the pass ends with the layer, so no later one has run
            value = truncated_forward(model, layer, suited(example, model))
    finally:
        for handle in handles:
            handle.remove()
    channels = value.shape[1] if value.ndim > 1 else 0
    fitting = [name for name in ran if norms[name].num_features == channels]
    if not fitting:
        raise LayerError(
            f"{type(model).__name__} has no BatchNorm with {channels} channels before the layer {layer!r}, from which "
            "the objective takes bias and weight; choose layers behind one, or another objective."
        )
    if not norms[fitting[-1]].affine:
        raise LayerError(
            f"{type(model).__name__}: {fitting[-1]!r}, the last BatchNorm before the layer {layer!r} with its "
            f"{channels} channels, has neither weight nor bias, which the objective takes; choose another layer, or "
            "another objective."
        )
    return fitting[-1]


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Inside, the BatchNorms of `model` normalise by the statistics of the batch; what they have noted stays as it is.

    Dropout and all else stay in evaluation mode.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [(norm, norm.training, norm.track_running_stats) for norm in norms]
    try:
        for norm in norms:
            norm.training = True
            norm.track_running_stats = False  # so that nothing is noted, not even the step
        yield
    finally:
        for norm, training, track in before:
            norm.training, norm.track_running_stats = training, track

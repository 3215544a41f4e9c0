"""What kdprobe's own networks are: sizes, taps, options, number of parameters."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from kdprobe.networks.sizes import SIZES


class NetworkEntry(NamedTuple):
    """One network at its own size."""

    name: str
    about: str  #: one sentence
    image_shape: tuple[int, int, int]  #: (C, H, W), H and W the size that it was made for
    parameters: int
    taps: dict[str, tuple[int, ...]]  #: name -> shape of the value for one image
    options: dict[str, Any]  #: name -> default


def describe_networks(
    networks: Mapping[str, Callable[..., nn.Module]], num_classes: int = 10
) -> tuple[NetworkEntry, ...]:
    """One entry for each of `networks` (kdprobe's own), built without memory for its weights."""
    return tuple(_entry(name, function, num_classes) for name, function in networks.items())


def _entry(name: str, function: Callable[..., nn.Module], num_classes: int) -> NetworkEntry:
    side = SIZES[name].own
    shape = (3, side, side)
    with torch.device("meta"):
        model = function(num_classes=num_classes, image_shape=shape).eval()
        shapes = tap_shapes(model, torch.empty(1, *shape))
    options = {
        option: parameter.default
        for option, parameter in inspect.signature(function).parameters.items()
        if option not in ("num_classes", "image_shape")
    }
    about = inspect.getdoc(function).partition("\n\n")[0].replace("\n", " ")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return NetworkEntry(name, about, shape, parameters, shapes, options)


def tap_shapes(model: nn.Module, images: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Name of each of ``model.taps`` -> shape of its value for one of `images`."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(tap: str) -> Callable[..., None]:
        return lambda _module, _inputs, value: shapes.update({tap: tuple(value.shape[1:])})

    hooks = [model.get_submodule(path).register_forward_hook(note(tap)) for tap, path in model.taps.items()]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {tap: shapes[tap] for tap in model.taps}

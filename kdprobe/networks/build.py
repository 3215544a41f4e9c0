"""`build_network`: one door to all architectures, those of kdprobe and one's own."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.external import is_reference, load_function, provenance
from kdprobe.networks.alexnet_vgg import ALEXNET_VGG
from kdprobe.networks.cifar_resnet import CIFAR_RESNETS, PLAIN
from kdprobe.networks.headed_resnet import HEADED_RESNETS
from kdprobe.networks.listing import NetworkEntry, describe_networks
from kdprobe.networks.pretrained import pretrained_provenance
from kdprobe.networks.vgg_small import vgg_small
from kdprobe.networks.wide_resnet import WIDE_RESNETS

#: name -> function(num_classes=, image_shape=, **options) that returns an nn.Module with `taps`
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "vgg_small": vgg_small,
    **ALEXNET_VGG,
    **HEADED_RESNETS,
    **CIFAR_RESNETS,
    **PLAIN,
    **WIDE_RESNETS,
}


def build_network(
    name: str, *, num_classes: int, image_shape: Sequence[int], seed: int = 0, **options: Any
) -> nn.Module:
    """An untrained network whose initial weights are drawn by `seed`; the global random state stays as it
    was.

    Parameters
    ----------
    name: one of `NETWORKS`, or ``file.py:function``; one's own function is called with `num_classes`,
        `image_shape` and the options as far as it names them, and returns an nn.Module. If that has an
        attribute `taps` (name -> dotted module path) these names can be used as layers; dotted paths can be
        used on any module.
    num_classes: number of logits, at least 1.
    image_shape: (C, H, W).
    options: of the architecture, for example ``widths=(24, 48, 96)``.

    Raises ConfigError if the name or an option is unknown, or if the function returns no nn.Module.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ConfigError(f"num_classes must be a whole number above 0, got {num_classes!r}.")
    shape = tuple(int(s) for s in image_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise ConfigError(f"image_shape must be (channels, height, width), got {tuple(image_shape)!r}.")
    function = _function(name)
    keywords = _fitting(name, function, {"num_classes": num_classes, "image_shape": shape}, options)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = function(**keywords)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name} returned {type(model).__name__}; it must return a torch.nn.Module.")
    _check_taps(name, model)
    return model


def list_networks(num_classes: int = 10) -> tuple[NetworkEntry, ...]:
    """All of `NETWORKS`: size, taps with shapes, options with defaults, number of parameters for `num_classes`."""
    return describe_networks(NETWORKS, num_classes)


def network_provenance(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """How to build the network again, JSON-able: name, options and, for one's own function, its file and
    sha256; for pretrained weights where they are from.
    """
    record: dict[str, Any] = {"name": name, "options": {k: _plain(v) for k, v in (options or {}).items()}}
    if is_reference(name):
        record["source"] = provenance(name)
        return record
    _function(name)
    pretrained = record["options"].get("pretrained")
    if pretrained:
        record["pretrained"] = pretrained_provenance(name, pretrained)
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _function(name: str) -> Callable[..., nn.Module]:
    if name in NETWORKS:
        return NETWORKS[name]
    if is_reference(name):
        return load_function(name)
    raise ConfigError(
        f"No network {name!r}; known are {', '.join(NETWORKS)}, or name your own as file.py:function."
        f"{_nearest(name, list(NETWORKS))}"
    )


def _fitting(name: str, function: Callable, given: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """`given` as far as the function names it, and all `options`; ConfigError if one is unknown."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return {**given, **options}
    own = [p for p in parameters if p not in given]
    for option in options:
        if option not in own:
            known = f"its options are {', '.join(own)}" if own else "it has none"
            raise ConfigError(f"{name} has no option {option!r}; {known}.{_nearest(option, own)}")
    return {**{k: v for k, v in given.items() if k in parameters}, **options}


def _check_taps(name: str, model: nn.Module) -> None:
    taps = getattr(model, "taps", {})
    modules = dict(model.named_modules())
    if not isinstance(taps, Mapping):
        raise ConfigError(f"{name}: `taps` must map names to module paths, got {type(taps).__name__}.")
    for tap, path in taps.items():
        if path not in modules:
            raise ConfigError(
                f"{name}: the tap {tap!r} names no module {path!r}.{_nearest(path, list(modules))}"
            )


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""

"""Taps: the value of one named layer, and what of the network lies below it."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from kdprobe.errors import LayerError


def layer_path(model: nn.Module, layer: str) -> str:
    """The dotted module path of `layer`: a name in ``model.taps`` or itself such a path.

    Raises LayerError, with the nearest names, if the model has no such layer.
    """
    taps = dict(getattr(model, "taps", {}))
    paths = [path for path, _ in model.named_modules() if path]
    path = taps.get(layer, layer)
    if path in paths:
        return path
    near = difflib.get_close_matches(layer, [*taps, *paths], n=3, cutoff=0.3) or [*taps, *paths][:3]
    raise LayerError(
        f"{type(model).__name__} has no layer {layer!r}; the nearest names are {', '.join(near)}."
    )


class Tap:
    """What one layer returned in one forward pass."""

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self._values: list[Tensor] = []

    @property
    def value(self) -> Tensor:
        """The layer's output, its graph attached: as the layer returned it, whatever came after worked in place.

        Raises LayerError unless the layer fired exactly once.
        """
        if len(self._values) == 1:
            return self._values[0]
        if not self._values:
            raise LayerError(
                f"Layer {self.layer!r} never fired in the forward pass; choose a layer that is used."
            )
        raise LayerError(
            f"Layer {self.layer!r} fired {len(self._values)} times in one forward pass; "
            "choose a layer that is used once (a module that is shared has no single value)."
        )

    def keep(self, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise LayerError(
                f"Layer {self.layer!r} returns a {type(output).__name__}, not a tensor; choose a layer inside it."
            )
        self._values.append(output.clone())
        return output


@contextmanager
def capture(model: nn.Module, layer: str) -> Iterator[Tap]:
    """Watches `layer` during the forward passes inside: ``with capture(m, "fc1") as tap: m(x); tap.value``."""
    tap = Tap(layer)
    module = model.get_submodule(layer_path(model, layer))
    handle = module.register_forward_hook(lambda _module, _inputs, output: tap.keep(output))
    try:
        yield tap
    finally:
        handle.remove()


class _Reached(Exception):
    """Carries the tapped value out of a forward pass that needs to go no further."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


def truncated_forward(model: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """The value of `layer` for `inputs`; the forward pass is cut there, so nothing above it is computed.

    The first firing is returned; whether a layer fires once is for `check_tap` to say.
    """

    def reached(_module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            Tap(layer).keep(output)
        raise _Reached(output)

    handle = model.get_submodule(layer_path(model, layer)).register_forward_hook(reached)
    try:
        model(inputs)
    except _Reached as reach:
        return reach.value
    finally:
        handle.remove()
    raise LayerError(f"Layer {layer!r} never fired in the forward pass; choose a layer that is used.")


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """In evaluation mode and with frozen weights inside; afterwards as it was, also after an exception.

    Training flags, requires_grad and the random generators' states are put back.
    """
    training = [(module, module.training) for module in model.modules()]
    learning = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    devices = sorted({p.device.index for p, _ in learning if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices):
        try:
            model.eval()
            for parameter, _ in learning:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, flag in training:
                module.training = flag
            for parameter, flag in learning:
                parameter.requires_grad_(flag)


def check_tap(model: nn.Module, layer: str, example: Tensor) -> Tensor:
    """One whole forward pass of `example`, batch first, that raises LayerError unless `layer` fires exactly once.

    Returns the layer's value.
    """
    with untouched(model), torch.no_grad(), capture(model, layer) as tap:
        model(example)
    return tap.value


def parameters_below(model: nn.Module, layer: str, example: Tensor) -> tuple[str, ...]:
    """Names of the parameters on which the value of `layer` depends, found by autograd, in the model's order.

    `example` is one input batch. These are the weights w_k of the learning distance, and those that a stage
    with ``learns: below_tap`` trains.
    """
    names = [name for name, _ in model.named_parameters()]
    with untouched(model), torch.enable_grad():
        parameters = list(model.parameters())
        for parameter in parameters:
            parameter.requires_grad_(True)
        value = truncated_forward(model, layer, example)
        if not value.requires_grad:
            return ()
        gradients = torch.autograd.grad(value.sum(), parameters, allow_unused=True)
    return tuple(name for name, gradient in zip(names, gradients, strict=True) if gradient is not None)


def modules_below(model: nn.Module, layer: str, example: Tensor) -> tuple[str, ...]:
    """Names of the leaf modules that ran up to and including `layer`, in the order in which they first ran."""
    ran: dict[str, None] = {}

    def note(name: str):
        return lambda _module, _inputs, _output: ran.setdefault(name)

    handles = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if name and not any(module.children())
    ]
    try:
        with untouched(model), torch.no_grad():
            truncated_forward(model, layer, example)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(ran)

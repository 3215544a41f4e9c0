"""Taps: the value of one named layer, and what of the network lies below it."""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from kdprobe.errors import LayerError
from kdprobe.estimator.arithmetic import exact_arithmetic, full_precision, suited

_COMPILED = "_orig_mod"  # under this name a module made by torch.compile holds the original


def bare(model: nn.Module) -> nn.Module:
    """The network itself, taken out of torch.compile, DataParallel and DistributedDataParallel."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif _COMPILED in model._modules:
            model = model.get_submodule(_COMPILED)
        else:
            return model


def is_compiled(model: nn.Module) -> bool:
    """Whether torch.compile has been at the network or at any of its layers."""
    return any(
        _COMPILED in module._modules or module._compiled_call_impl is not None for module in model.modules()
    )


@contextmanager
def as_written(compiled: bool) -> Iterator[None]:
    """Inside, a compiled network runs as it is written: hooks that end a pass break its graphs, for good."""
    if not compiled:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def layer_path(model: nn.Module, layer: str) -> str:
    """The dotted module path of `layer` in the bare network: a name in ``model.taps`` or itself such a path.

    The names that wrappers add (``module.``, ``_orig_mod.``) may be there or not. Raises LayerError, with the nearest
    names, if the network has no such layer.
    """
    return _find(model, layer)[0]


def has_layer(model: nn.Module, layer: str) -> bool:
    """Whether `layer` is one of the network's, as `layer_path` finds it."""
    try:
        layer_path(model, layer)
    except LayerError:
        return False
    return True


def _find(model: nn.Module, layer: str) -> tuple[str, nn.Module]:
    network = bare(model)
    layers = {}
    for path, module in network.named_modules(remove_duplicate=False):
        # Of a compiled layer and its original the original stays, which comes later.
        layers[_without(path)] = module
    del layers[""]
    taps = getattr(network, "taps", None)
    taps = dict(taps) if isinstance(taps, Mapping) else {}
    names = [layer, _without(layer)]
    while names[-1].startswith("module."):
        names.append(names[-1].removeprefix("module."))
    for name in names:
        path = _without(str(taps.get(name, name)))
        if path in layers:
            return path, layers[path]
    if not layers:
        raise LayerError(
            f"{type(network).__name__} has no named layers; wrap it in nn.Sequential and choose layer '0'."
        )
    near = difflib.get_close_matches(names[-1], [*taps, *layers], n=3, cutoff=0.3) or [*taps, *layers][:3]
    raise LayerError(
        f"{type(network).__name__} has no layer {layer!r}; the nearest names are {', '.join(near)}."
    )


def _without(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != _COMPILED)


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

    def checked(self, output: object) -> Tensor:
        """`output` if it can be measured, else LayerError."""
        if not isinstance(output, Tensor):
            raise LayerError(
                f"Layer {self.layer!r} returns a {type(output).__name__}, not a tensor; choose a layer inside it."
            )
        if not output.is_floating_point():
            raise LayerError(
                f"Layer {self.layer!r} returns {output.dtype} values, not floating-point ones; choose a layer below it."
            )
        return output

    def keep(self, output: object) -> None:
        self._values.append(self.checked(output).clone())


@contextmanager
def capture(model: nn.Module, layer: str) -> Iterator[Tap]:
    """Watches `layer` during the forward passes inside: ``with capture(m, "fc1") as tap: m(x); tap.value``."""
    tap = Tap(layer)
    handle = _find(model, layer)[1].register_forward_hook(lambda _module, _inputs, output: tap.keep(output))
    try:
        yield tap
    finally:
        handle.remove()


class _Reached(BaseException):
    """Carries the tapped value out of a forward pass that needs to go no further.

    No Exception: a network that catches Exceptions of its layers must not catch this one.
    """

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


class Truncated:
    """The network up to one layer as a function: (R, C, H, W) -> the layer's value, nothing above it computed.

    The first firing is returned; whether a layer fires once is for `check_tap` to say.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        self._network = bare(model)
        self._layer = layer
        self._module = _find(model, layer)[1]
        self._compiled = is_compiled(model)

    @property
    def convolves(self) -> bool:
        """Whether there are two-dimensional convolutions in the network."""
        return any(isinstance(module, nn.Conv2d) for module in self._network.modules())

    def __call__(self, inputs: Tensor) -> Tensor:
        tap = Tap(self._layer)
        fired = False

        def reached(_module: nn.Module, _inputs: object, output: object) -> None:
            nonlocal fired
            fired = True
            raise _Reached(tap.checked(output))

        handle = self._module.register_forward_hook(reached)
        with as_written(self._compiled):
            try:
                self._network(inputs)
            except _Reached as reach:
                return reach.value
            finally:
                handle.remove()
            # The layer fired and the pass went on all the same: the user's forward catches everything, BaseException
            # too. Its code is not ours to change, and the layer has a value: a whole pass gives it.
            if fired:
                with capture(self._network, self._layer) as tap:
                    self._network(inputs)
        return tap.value


def truncated_forward(model: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """The value of `layer` for `inputs`; the forward pass is cut there, so nothing above it is computed."""
    return Truncated(model, layer)(inputs)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """In evaluation mode and with frozen weights inside; afterwards as it was, also after an exception.

    Training flags (of modules with a `train` of their own whatever it sets, too), requires_grad and the random
    generators' states are put back.
    """
    training = [(module, module.training) for module in model.modules()]
    learning = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    tensors = [*model.parameters(), *model.buffers()]
    devices = sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices):
        try:
            model.eval()
            for parameter, _ in learning:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, flag in training:
                if type(module).train is not nn.Module.train:
                    module.train(flag)
            for module, flag in training:
                module.training = flag
            for parameter, flag in learning:
                parameter.requires_grad_(flag)


@contextmanager
def measuring(model: nn.Module) -> Iterator[None]:
    """`untouched`, and inside every forward pass computes in float32 at least (`arithmetic`)."""
    with exact_arithmetic(), full_precision(model), untouched(model):
        yield


def check_tap(model: nn.Module, layer: str, example: Tensor) -> Tensor:
    """One whole forward pass of `example`, batch first, that raises LayerError unless `layer` fires exactly once.

    Returns the layer's value.
    """
    with measuring(model), torch.no_grad(), capture(model, layer) as tap, as_written(is_compiled(model)):
        bare(model)(suited(example, model))
    value = tap.value
    if value.ndim == 0 or len(value) != len(example):
        raise LayerError(
            f"Layer {layer!r} returns {tuple(value.shape)} for a batch of {len(example)}: its first dimension is not "
            "the batch; choose another layer."
        )
    return value


def parameters_below(model: nn.Module, layer: str, example: Tensor) -> tuple[str, ...]:
    """Names of the parameters on which the value of `layer` depends, found by autograd, in the model's order.

    `example` is one input batch. These are the weights w_k of the learning distance, and those that a stage
    with ``learns: below_tap`` trains.
    """
    learnable = [(name, p) for name, p in model.named_parameters() if p.is_floating_point()]
    names, parameters = [name for name, _ in learnable], [parameter for _, parameter in learnable]
    with measuring(model), torch.enable_grad():
        for parameter in parameters:
            parameter.requires_grad_(True)
        value = truncated_forward(model, layer, suited(example, model))
        if not value.requires_grad:  # nor are there parameters, perhaps
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
        with measuring(model), torch.no_grad():
            truncated_forward(model, layer, suited(example, model))
    finally:
        for handle in handles:
            handle.remove()
    return tuple(ran)

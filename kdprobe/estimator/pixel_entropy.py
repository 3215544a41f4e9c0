"""`PixelEntropy`: how much of every cell's information a layer keeps, as a Captum attribution.

Loaded on first use only, since it imports captum.
"""

import warnings
from typing import Any

import torch
from captum.attr import Attribution
from captum.log import log_usage
from torch import Tensor, nn

from kdprobe.errors import InputError, LayerError
from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.estimator import EntropyEstimator
from kdprobe.estimator.protocols import Protocol
from kdprobe.estimator.solvers import Solver
from kdprobe.records import EntropyResult, Outcome


class UnusableImageWarning(UserWarning):
    """An image has no entropy map; its attribution is zero.

    ``warnings.simplefilter("error", UnusableImageWarning)`` makes an exception of it.
    """


class PixelEntropy(Attribution):
    """Attribution mean(H) - H_i of a pixel in cell i, in nats: positive where `layer` keeps more than on average.

    For the entropies H themselves, their standard errors and outcomes use `EntropyEstimator`. Works with
    `captum.metrics.infidelity`, `sensitivity_max`, `NoiseTunnel` and `captum.attr.visualization`.

    Parameters
    ----------
    model: an nn.Module that maps (N, C, H, W) to anything; it comes back as it was.
    layer: the layer as Captum's Layer* classes take it (a module of `model`), its dotted path, or a name in
        ``model.taps``.
    protocol, solver, grid: as for `EntropyEstimator`.

    Raises InputError for a model that is no nn.Module, LayerError for a layer that `model` does not have.

    **Sensitivity.** The estimator's noise derives from the seed and the image's own bytes, so a perturbed image
    meets other noise, and `sensitivity_max` (or `NoiseTunnel` with ``nt_type="vargrad"``) sees the estimator's noise
    together with the layer's sensitivity. A `perturb_radius` so small that the layer cannot notice (1e-6) shows the
    part that is noise.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | nn.Module,
        *,
        protocol: str | Protocol = "cheng2020",
        solver: str | Solver = "decomposed",
        grid: int = 16,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise InputError(
                f"PixelEntropy looks inside the model, which must be a torch.nn.Module; got {type(model).__name__}: "
                "give the module instead of a function of it."
            )
        super().__init__(model)
        self._options = {"protocol": protocol, "solver": solver, "grid": grid}
        name = _name_of(model, layer) if isinstance(layer, nn.Module) else layer
        self.layer = EntropyEstimator(model, name, **self._options).path  #: dotted module path

    @log_usage(part_of_slo=True)
    def attribute(
        self,
        inputs: Tensor | tuple[Tensor],
        target: Any = None,
        additional_forward_args: Any = None,
        *,
        internal_batch_size: int | str | None = None,
        show_progress: bool = False,
        seed: int = 0,
    ) -> Tensor | tuple[Tensor]:
        """mean(H) - H_i in nats, for every pixel the value of its cell, the same in every channel.

        Parameters
        ----------
        inputs: floating-point images (N, C, H, W), normalised as the model expects them, or a tuple of one such
            tensor. They are not changed, nor are their gradient flags.
        target: ignored. The entropy is that of a layer, not of one output; it is accepted so that code written for
            other attributions (and `sensitivity_max`, which passes it on) runs unchanged.
        additional_forward_args: further arguments of ``model(inputs, ...)``, one or a tuple; tensors hold one entry
            per image in their first dimension (those without dimensions are constants), anything else is handed on
            as it is. With such tensors images are measured one by one.
        internal_batch_size: rows of one pass through the network; None or "auto" finds it.
        show_progress: shows a bar on the terminal.
        seed: decides the noise; the same seed and inputs give the same values.

        Returns a tensor with shape, dtype and device of `inputs`, without a graph (in a tuple if `inputs` is one). Its
        mean over the cells of an image is zero. An image that cannot be measured (dead layer, NaN or infinite
        values) gets zeros, and an `UnusableImageWarning` names it and says what to do.

        Raises InputError for inputs of the wrong kind, LayerError for a layer that cannot be measured.
        """
        images = _only_tensor(inputs)
        options = {**self._options, "internal_batch_size": internal_batch_size, "seed": seed}
        arguments = _as_tuple(additional_forward_args)
        batched = [a for a in arguments if isinstance(a, Tensor) and a.ndim > 0]
        if any(len(a) != len(images) for a in batched):
            raise InputError(
                f"Tensors in additional_forward_args hold one entry for each of the {len(images)} images in their "
                f"first dimension; got {[tuple(a.shape) for a in batched]}: repeat them, or give constants as numbers."
            )
        parts = images.split(1) if batched else [images]
        results = []
        for number, part in enumerate(parts):
            model, layer = self.forward_func, self.layer
            if arguments:
                model, layer = _WithArguments(model, arguments, number), f"model.{layer}"
            results.append(EntropyEstimator(model, layer, **options).estimate(part, show_progress))
        _warn_of_unusable(results)
        entropy = torch.cat([result.entropy for result in results])
        contrast = (entropy.mean((1, 2), keepdim=True) - entropy).nan_to_num(nan=0.0)
        cells = CellGrid(
            self._options["grid"], *images.shape[-2:], device=entropy.device, dtype=entropy.dtype
        )
        pixels = cells.spread(contrast).to(images.device, images.dtype)
        attributions = pixels[:, None].repeat(1, images.shape[1], 1, 1)
        return (attributions,) if isinstance(inputs, tuple) else attributions


class _WithArguments(nn.Module):
    """rows -> model(rows, *arguments), where tensors among the arguments give their entry `number` to every row."""

    def __init__(self, model: nn.Module, arguments: tuple, number: int) -> None:
        super().__init__()
        self.model = model
        self._arguments = arguments
        self._number = number

    def forward(self, rows: Tensor) -> Any:
        return self.model(rows, *(self._for(argument, len(rows)) for argument in self._arguments))

    def _for(self, argument: Any, rows: int) -> Any:
        if not isinstance(argument, Tensor) or argument.ndim == 0:
            return argument
        return argument[self._number].expand(rows, *argument.shape[1:])


def _name_of(model: nn.Module, layer: nn.Module) -> str:
    for name, module in model.named_modules():
        if module is layer and name:
            return name
    what = "is the model itself" if layer is model else f"is no part of {type(model).__name__}"
    raise LayerError(f"The layer {type(layer).__name__} {what}; give a module inside the model, or its name.")


def _only_tensor(inputs: Any) -> Tensor:
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    if len(tensors) != 1 or not isinstance(tensors[0], Tensor):
        kinds = ", ".join(type(t).__name__ for t in tensors) or "nothing"
        raise InputError(
            f"PixelEntropy takes one tensor of images (or a tuple of one); got {len(tensors)}: {kinds}. "
            "Give further arguments of the model as additional_forward_args."
        )
    return tensors[0]


def _as_tuple(arguments: Any) -> tuple:
    """None: no argument; a tuple: several; anything else: one (Captum's convention)."""
    if arguments is None:
        return ()
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _warn_of_unusable(results: list[EntropyResult]) -> None:
    outcomes = [outcome for result in results for outcome in result.outcome]
    for kind in Outcome:
        images = [number for number, outcome in enumerate(outcomes) if outcome is kind]
        if images and not kind.usable:
            named = ", ".join(map(str, images[:10])) + (", ..." if len(images) > 10 else "")
            warnings.warn(
                f"{len(images)} of {len(outcomes)} images (number {named}) could not be measured ({kind.value}); their "
                f"attribution is zero. {kind.advice}",
                UnusableImageWarning,
                stacklevel=4,
            )

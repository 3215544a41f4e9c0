"""What a stage takes of one network for a batch: logits, values of layers, input gradients, of one forward pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.errors import LayerError
from kdprobe.estimator.taps import Tap, capture, truncated_forward


class Reading:
    """Reads one network, of the student's side or the teacher's (`who`: "student" or "teacher").

    `tap`, `features`: the layers of the stage, where it has any.
    """

    def __init__(self, who: str, tap: str | None, features: Sequence[str] = ()) -> None:
        self._who, self._tap, self._features = who, tap, tuple(features)
        self._cuts = True  # whether all layers have their value when the last one named has

    def whole(
        self, network: nn.Module, images: Tensor, wanted: frozenset[str], labels: Tensor | None = None
    ) -> dict[str, Any]:
        """`who`_logits, and those of `who`_feature, `who`_features and `who`_input_gradient that are `wanted`.

        They hang in one graph, the gradient too, if gradients are on; else in none. `labels` (B,): for the gradient of
        the cross-entropy, summed over the batch, by the images.
        """
        if f"{self._who}_input_gradient" not in wanted:
            with captured(network, self._layers(wanted)) as taps:
                logits = network(images)
            return self._named(wanted, logits, {layer: tap.value for layer, tap in taps.items()})
        learns, images = torch.is_grad_enabled(), images.detach().requires_grad_()
        with torch.enable_grad():
            with captured(network, self._layers(wanted)) as taps:
                logits = network(images)
            loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, images, create_graph=learns)
        values = {layer: tap.value for layer, tap in taps.items()}
        if not learns:
            logits, values = logits.detach(), {layer: value.detach() for layer, value in values.items()}
        return self._named(wanted, logits, values) | {f"{self._who}_input_gradient": gradient}

    def needed(
        self, network: nn.Module, images: Tensor, wanted: frozenset[str], labels: Tensor | None = None
    ) -> dict[str, Any]:
        """The same without logits that are not `wanted`; then what lies above the layers is not computed."""
        layers = self._layers(wanted)
        if wanted & {f"{self._who}_logits", f"{self._who}_input_gradient"} or not layers or not self._cuts:
            return self.whole(network, images, wanted, labels)
        try:
            with captured(network, layers[:-1]) as taps:
                last = truncated_forward(network, layers[-1], images)
            values = {layer: tap.value for layer, tap in taps.items()} | {layers[-1]: last}
        except LayerError:  # one comes later than the last one named: the pass must not end there
            self._cuts = False
            return self.whole(network, images, wanted, labels)
        return self._named(wanted, None, values)

    def _layers(self, wanted: frozenset[str]) -> list[str]:
        """Each once, in the order in which they are named."""
        tap = [self._tap] if f"{self._who}_feature" in wanted else []
        features = self._features if f"{self._who}_features" in wanted else ()
        return [*dict.fromkeys([*tap, *features])]

    def _named(
        self, wanted: frozenset[str], logits: Tensor | None, values: Mapping[str, Tensor]
    ) -> dict[str, Any]:
        who, said = self._who, {} if logits is None else {f"{self._who}_logits": logits}
        if f"{who}_feature" in wanted:
            said[f"{who}_feature"] = values[self._tap]
        if f"{who}_features" in wanted:
            said[f"{who}_features"] = tuple(values[layer] for layer in self._features)
        return said


@contextmanager
def captured(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tap]]:
    """Watches `layers` during the forward pass inside; each value is as its layer returned it."""
    with ExitStack() as stack:
        yield {layer: stack.enter_context(capture(model, layer)) for layer in layers}

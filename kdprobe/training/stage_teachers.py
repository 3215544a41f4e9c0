"""All who teach one stage, epoch by epoch."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from kdprobe.objectives import mean_logits, mean_probabilities
from kdprobe.recipes import Stage
from kdprobe.training.hardness import next_anchor
from kdprobe.training.layers import StageLayers
from kdprobe.training.norms import batch_statistics, norms_of
from kdprobe.training.reading import Reading
from kdprobe.training.seat import Seat
from kdprobe.training.teacher_cache import TeacherCache, flat, nested
from kdprobe.training.teaching import TeachingNetwork, span_of

_NUMPY = (torch.float16, torch.float32, torch.float64)


class StageTeachers:
    """Those who teach `stage`, at its `layers`, during its `epochs`; several speak as one, as `stage.combine` says.

    `networks` has them by the names of the sources. `cache`: where outputs are kept that are asked for in more than
    one epoch and are then the same; None: nowhere. Raises ConfigError if an epoch that is to teach is not kept.
    """

    def __init__(
        self,
        stage: Stage,
        layers: StageLayers,
        epochs: int,
        networks: Mapping[str, TeachingNetwork],
        device: torch.device,
        cache: TeacherCache | None,
    ) -> None:
        self._stage, self._epochs, self._norms = stage, epochs, layers.norms
        self._cache = cache if stage.teacher_is_fixed else None
        self._readings = {
            name: Reading("teacher", layers.tap.get(name), layers.features.get(name, ())) for name in networks
        }
        self.seats = [Seat(source, networks[source.network], device) for source in stage.teachers]
        self._filled: tuple[int, ...] | None = None  # the places on their ways whose outputs are kept

    def asked(self, epoch: int) -> bool:
        """Whether any term that counts in `epoch`, from 1, looks at the teacher."""
        return any(name.startswith("teacher") for name in self._stage.inputs_at(epoch, self._epochs))

    def begin(
        self,
        epoch: int,
        anchors: Mapping[int, Tensor],
        hard: Callable[[Seat, int], float],
        teach: Callable[[Tensor], dict[str, Any]],
    ) -> None:
        """All speak as they are to in `epoch`, from 1, of the stage.

        `anchors`: for each greedy source, by its place, the (spans,) epochs chosen so far, -1 where none is yet; a
        choice is written into it. `hard(seat, epoch)`: how hard that epoch is for the student. `teach`: the outputs
        for the images with some indices, to be kept.
        """
        if not self.asked(epoch):
            return
        for place, seat in enumerate(self.seats):
            span = span_of(epoch, self._epochs, seat.spans)
            if place in anchors:
                seat.move(self._chosen(seat, span, anchors[place], hard))
            else:
                seat.move(seat.route[span])
        if self._cache is not None:
            self._keep(epoch, teach)

    def outputs(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Any]:
        """What the stage takes of teacher_logits, _feature, _features and _input_gradient for `images`; without graph.

        `labels` (B,): for the input gradient.
        """
        with torch.no_grad():
            said = [self._of(seat, images, labels) for seat in self.seats]
            if len(said) == 1:
                return said[0]
            logits = torch.stack([each["teacher_logits"] for each in said])
            combine = mean_logits if self._stage.combine == "logits" else mean_probabilities
            return {"teacher_logits": combine(logits)}

    def constants(self) -> dict[str, Any]:
        """What the stage takes of its teacher that is the same for all images of an epoch: teacher_norms."""
        if "teacher_norms" not in self._stage.inputs:
            return {}
        return {"teacher_norms": norms_of(self.seats[0].model, self._norms)}

    def kept(self, chosen: Tensor) -> dict[str, Any] | None:
        """The outputs for the images with these indices, if they are kept."""
        found = None if self._cache is None else self._cache.outputs(chosen)
        return None if found is None else nested(found)

    def close(self) -> None:
        """Raises TrainingError if one who taught has changed."""
        for seat in self.seats:
            seat.check()

    def _of(self, seat: Seat, images: Tensor, labels: Tensor | None) -> dict[str, Any]:
        reading, wanted = self._readings[seat.source.network], self._stage.inputs
        with batch_statistics(seat.model) if self._stage.teacher_mode == "train" else nullcontext():
            return reading.needed(seat.model, images, wanted, labels)

    def _chosen(self, seat: Seat, span: int, anchors: Tensor, hard: Callable[[Seat, int], float]) -> int:
        if anchors[span] < 0:
            before = [int(epoch) for epoch in anchors[:span] if epoch >= 0]
            if span == seat.spans - 1:
                chosen = seat.route[-1]
            elif not before:
                chosen = seat.route[0]
            else:
                chosen = next_anchor(seat.route, before[-1], lambda k: hard(seat, k), seat.source.delta)
            anchors[span] = chosen
        return int(anchors[span])

    def _keep(self, epoch: int, teach: Callable[[Tensor], dict[str, Any]]) -> None:
        spans = self._spans(epoch)
        if spans == self._filled:
            return
        self._filled = spans
        self._cache.drop()
        same = [e for e in range(1, self._epochs + 1) if self._spans(e) == spans and self.asked(e)]
        if len(same) < 2:  # of the whole stage, not of what is left of it: a resumed training does the same
            return
        wanted = self._stage.inputs

        def needed(rows: Tensor) -> dict[str, Tensor]:
            return flat({name: values for name, values in teach(rows).items() if name in wanted})

        example = needed(torch.arange(2) % self._cache.count)
        if all(value.dtype in _NUMPY for value in example.values()) and self._cache.fits(example):
            self._cache.fill(needed)

    def _spans(self, epoch: int) -> tuple[int, ...]:
        """For each teacher the place on its way in `epoch`."""
        return tuple(span_of(epoch, self._epochs, seat.spans) for seat in self.seats)

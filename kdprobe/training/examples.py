"""What a stage's networks say of images outside its steps: for connectors, for kept outputs, for the greedy search."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from kdprobe.estimator.taps import untouched
from kdprobe.training.hardness import hardness
from kdprobe.training.seat import Seat
from kdprobe.training.stage_batches import Batch, StageBatches
from kdprobe.training.stage_teachers import StageTeachers

_MOST = 1024  # training images on which the hardness of an anchor is measured


class StageExamples:
    """Images of `batches`, none of them mirrored, on `device`; `own(name, batch, wanted)` is what a step takes of the
    network of that name, `shared(batch)` what the batch itself gives."""

    def __init__(
        self,
        batches: StageBatches,
        teachers: StageTeachers,
        own: Callable[[str, Batch, frozenset[str]], dict[str, Any]],
        shared: Callable[[Batch], dict[str, Any]],
        wanted: frozenset[str],
        device: torch.device,
    ) -> None:
        self._batches, self._teachers, self._own, self._shared = batches, teachers, own, shared
        self._wanted, self._device = wanted, device

    def inputs(self, name: str, network: nn.Module) -> dict[str, Any]:
        """All inputs of the stage for two images, as `network`, called `name`, would be given them."""
        rows = torch.arange(2) % self._batches.count
        images, labels = self._batches.student_images(rows).to(self._device), self._batches.labels[rows]
        network.to(self._device)
        with untouched(network), torch.no_grad():
            where = rows.to(self._device)
            batch = Batch(images, labels.to(self._device), partners=images, views=images, indices=where)
            given = self._own(name, batch, self._wanted) | self._shared(batch)
        if any(name.startswith("teacher") for name in self._wanted):
            for seat in self._teachers.seats:
                seat.move(seat.route[0])
            given |= self.taught(rows) | self._teachers.constants()
        return given | {
            "ensemble_logits": given["student_logits"],
            "generator": torch.Generator().manual_seed(0),
        }

    def taught(self, rows: Tensor) -> dict[str, Any]:
        """The teacher's outputs for the images with these indices."""
        images, labels = self._batches.teacher_images(rows), self._batches.labels[rows]
        return self._teachers.outputs(images.to(self._device), labels.to(self._device))

    def hardness_for(self, student: nn.Module) -> Callable[[Seat, int], float]:
        """How hard a teacher of an epoch is for `student` as it is now, in evaluation mode (`hardness`)."""
        count = self._batches.count
        rows = torch.linspace(0, count - 1, min(count, _MOST)).round().long().split(self._batches.batch_size)
        said: list[Tensor] = []

        def of_student() -> Iterator[Tensor]:
            if not said:
                with untouched(student), torch.no_grad():
                    said.extend(student(self._batches.student_images(each).to(self._device)) for each in rows)
            return iter(said)

        def hard(seat: Seat, epoch: int) -> float:
            seat.move(epoch)
            with torch.no_grad():
                teacher = (seat.model(self._batches.teacher_images(each).to(self._device)) for each in rows)
                return hardness(of_student(), teacher)

        return hard

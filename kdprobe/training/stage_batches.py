"""The batches of a stage that needs more than images and labels."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from kdprobe.recipes import Stage
from kdprobe.training.batches import Batches
from kdprobe.training.pictures import on_foreground, partners, shifted, shifts
from kdprobe.training.seeds import derive_seed


class Batch(NamedTuple):
    """What one step gets; images are (B, C, H, W), None where the stage has no use for them."""

    images: Tensor  #: the student's
    labels: Tensor  #: (B,)
    teacher_images: Tensor | None = None  #: None also if the teacher's outputs are in `taught`
    partners: Tensor | None = None  #: another image of the same class for each
    views: Tensor | None = None  #: each image mirrored or not and shifted
    taught: dict[str, Any] | None = None  #: the teacher's outputs for these images, kept from before
    indices: Tensor | None = None  #: (B,) which of the training images they are


class StageBatches:
    """`batches` with all that `stage` asks for; iterating yields one epoch of `Batch`.

    Everything drawn comes from generators seeded with (seed, what for, epoch), so that the images and their order
    are those of every other training with this seed. `foregrounds`: (N, H, W) bool, for stages that need them.
    `taught`: gives the teacher's outputs for the images with some indices, None if they are not kept.
    """

    def __init__(
        self,
        batches: Batches,
        stage: Stage,
        foregrounds: Tensor | None = None,
        taught: Callable[[Tensor], dict[str, Any] | None] = lambda chosen: None,
    ) -> None:
        self._batches = batches
        self._stage = stage
        self._foregrounds = foregrounds
        self._taught = taught
        self.wanted = stage.inputs  #: of kdprobe.objectives.INPUTS, in the running epoch

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch, counted from 0 over all stages."""
        self._batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        pairs = None
        if "partner_logits" in self.wanted:
            pairs = partners(self.labels, self._generator("partners"))
        streams = [self._generator("partner flips"), self._generator("views")]
        teaches = any(name.startswith("teacher") for name in self.wanted)
        for (images, labels), (chosen, mirrored) in zip(self._batches, self._batches.chosen(), strict=True):
            taught = self._taught(chosen) if teaches else None
            seen = self._seen(images, chosen, mirrored, self._stage.student_inputs)
            yield Batch(
                seen,
                labels,
                self._seen(images, chosen, mirrored, self._stage.teacher_inputs)
                if teaches and taught is None
                else None,
                None if pairs is None else self._partners(pairs[chosen], streams[0]),
                self._views(seen, streams[1]) if "view_logits" in self.wanted else None,
                taught,
                chosen if "indices" in self.wanted else None,
            )

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.labels)

    @property
    def labels(self) -> Tensor:
        """(N,)"""
        return self._batches.labels

    @property
    def batch_size(self) -> int:
        return self._batches.batch_size

    def student_images(self, chosen: Tensor) -> Tensor:
        """What the student sees of the images with these indices where nothing is mirrored."""
        return self._seen(self._batches.shown(chosen, None), chosen, None, self._stage.student_inputs)

    def teacher_images(self, chosen: Tensor) -> Tensor:
        """The same of the teacher."""
        return self._seen(self._batches.shown(chosen, None), chosen, None, self._stage.teacher_inputs)

    def _seen(self, images: Tensor, chosen: Tensor, mirrored: Tensor | None, inputs: str) -> Tensor:
        if inputs == "image":
            return images
        masks = self._foregrounds[chosen]
        if mirrored is not None:
            masks = torch.where(mirrored[:, None, None], masks.flip(-1), masks)
        return on_foreground(images, masks)

    def _partners(self, chosen: Tensor, stream: Generator) -> Tensor:
        mirrored = torch.rand(len(chosen), generator=stream) < 0.5 if self._batches.flips else None
        images = self._batches.shown(chosen, mirrored)
        return self._seen(images, chosen, mirrored, self._stage.student_inputs)

    def _views(self, images: Tensor, stream: Generator) -> Tensor:
        mirrored = torch.rand(len(images), generator=stream) < 0.5
        down, right = (shifts(len(images), side, stream) for side in images.shape[2:])
        return shifted(images, down, right, mirrored)

    def _generator(self, purpose: str) -> Generator:
        seed = derive_seed(self._batches.seed, purpose, self._batches.epoch)
        return torch.Generator().manual_seed(seed)

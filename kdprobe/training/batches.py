"""Mini-batches of a data set that lies in memory, in an order that only seed and epoch decide."""

from collections.abc import Iterator

import torch
from torch import Tensor

from kdprobe.data.normalise import NormalisedRows
from kdprobe.training.seeds import derive_seed


class Batches:
    """Iterating yields one epoch of (images (B,C,H,W), labels (B,)); `set_epoch` chooses which.

    `images`: (N,C,H,W), as a tensor or as rows that are normalised when they are taken, a batch at a time.

    Order and flips come from generators seeded with (seed, what for, epoch): every network trained with one
    seed sees the same batches. A last batch of one image is left out, because BatchNorm cannot normalise it.
    """

    def __init__(
        self,
        images: Tensor | NormalisedRows,
        labels: Tensor,
        batch_size: int,
        *,
        seed: int,
        flips: bool = False,
    ) -> None:
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.seed = seed
        self.flips = flips
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The next iteration is this epoch, counted from 0 over all stages."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(len(self.images), self.batch_size)
        return full + (rest > 1 or (rest == 1 and full == 0))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen, mirrored in self.chosen():
            yield self.shown(chosen, mirrored), self.labels[chosen]

    def chosen(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Of each batch the indices (B,) of its images, and which of these (B,) are mirrored (None: none)."""
        count = len(self.images)
        order = torch.randperm(count, generator=self._generator("order"))
        flipped = torch.rand(count, generator=self._generator("flips")) < 0.5 if self.flips else None
        for chosen in order.split(self.batch_size)[: len(self)]:
            yield chosen, None if flipped is None else flipped[chosen]

    def shown(self, chosen: Tensor, mirrored: Tensor | None) -> Tensor:
        """(B,C,H,W): the images with these indices, a copy."""
        images = self.images[chosen]
        if mirrored is not None:
            images[mirrored] = images[mirrored].flip(-1)
        return images

    def _generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, purpose, self.epoch))

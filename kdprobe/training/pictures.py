"""What is done to a batch of images before a network sees it: background taken out, a second view, a partner."""

import torch
from torch import Generator, Tensor


def on_foreground(images: Tensor, masks: Tensor) -> Tensor:
    """`images` (B, C, H, W), normalised, with 0 (the mean colour) wherever `masks` (B, H, W) is False."""
    return images.masked_fill(~masks.to(images.device, non_blocking=True)[:, None], 0.0)


def shifts(count: int, side: int, generator: Generator) -> Tensor:
    """(count,) whole pixels, each of -m ... m equally likely, m = side // 8."""
    most = side // 8
    return torch.randint(-most, most + 1, (count,), generator=generator)


def shifted(images: Tensor, down: Tensor, right: Tensor, mirrored: Tensor | None = None) -> Tensor:
    """`images` (B, C, H, W), each moved by its own `down` and `right` (B,) pixels, less than its side.

    Those that are `mirrored` (B,), bool, are so before that; None: none is.
    What comes in from outside is the image reflected at its border, the outermost pixel not repeated.
    """
    height, width = images.shape[2:]
    rows = _reflected(torch.arange(height) - down[:, None], height)
    columns = _reflected(torch.arange(width) - right[:, None], width)
    if mirrored is not None:
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    places = (rows[:, :, None] * width + columns[:, None, :]).flatten(1).to(images.device, non_blocking=True)
    moved = images.flatten(2).gather(2, places[:, None].expand(-1, images.shape[1], -1))
    return moved.reshape(images.shape)


def _reflected(places: Tensor, side: int) -> Tensor:
    places = places.abs()
    return torch.where(places < side, places, 2 * (side - 1) - places)


def partners(labels: Tensor, generator: Generator) -> Tensor:
    """(N,) indices: for every image another one with its label, each of those equally likely.

    An image that is the only one of its class is its own partner.
    """
    order = torch.argsort(labels, stable=True)  # class after class
    _, counts = torch.unique_consecutive(labels[order], return_counts=True)
    sizes = counts.repeat_interleave(counts)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    ranks = torch.arange(len(labels)) - starts
    others = (sizes - 1).clamp(min=1)
    drawn = torch.rand(len(labels), generator=generator, dtype=torch.float64)
    ahead = 1 + (drawn * others).long()  # places on in one's own class, round and round
    found = torch.empty_like(order)
    found[order] = order[starts + (ranks + ahead) % sizes]
    return found

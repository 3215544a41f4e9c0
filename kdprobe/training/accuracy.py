"""Accuracy on a data set."""

import math

import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.estimator.taps import untouched

_IMAGES, _VALUES = 250, 4_000_000  # most of one batch: a large image takes the room of many small ones


def evaluate_accuracy(model: nn.Module, data: LabelledImages, *, batch_size: int | None = None) -> float:
    """Share of the images of `data` to which `model` gives the right label, 0 ... 1.

    `batch_size`: images at a time; None: 250, but no more than four million values (26 images of 224 x 224).
    In evaluation mode, without gradients, on the device on which the model is; the model and the state of the
    random generators come back as they were.
    """
    device = next(model.parameters()).device
    size = batch_size or max(1, min(_IMAGES, _VALUES // math.prod(data.image_shape)))
    rows = data.normalised.on(device).split(size)
    right = torch.zeros((), dtype=torch.int64, device=device)
    with untouched(model), torch.no_grad():
        for images, labels in zip(rows, data.labels.split(size), strict=True):
            right += (model(images).argmax(dim=1) == labels.to(device)).sum()
    return int(right) / len(data.labels)

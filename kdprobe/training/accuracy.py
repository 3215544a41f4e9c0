"""Accuracy on a data set."""

import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.estimator.taps import untouched


def evaluate_accuracy(model: nn.Module, data: LabelledImages, *, batch_size: int = 250) -> float:
    """Share of the images of `data` to which `model` gives the right label, 0 ... 1.

    In evaluation mode, without gradients, on the device on which the model is; the model and the state of the
    random generators come back as they were.
    """
    device = next(model.parameters()).device
    right = torch.zeros((), dtype=torch.int64, device=device)
    with untouched(model), torch.no_grad():
        for images, labels in zip(data.images.split(batch_size), data.labels.split(batch_size), strict=True):
            right += (model(images.to(device)).argmax(dim=1) == labels.to(device)).sum()
    return int(right) / len(data.labels)

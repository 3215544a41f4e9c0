"""The forecast tries a training out, and does not cost more than the training itself."""

import pytest
import torch
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.experiment.forecast import seconds_per_epoch
from kdprobe.training import TrainingSettings


def data(count: int) -> LabelledImages:
    pictures = torch.zeros(count, 1, 4, 4, dtype=torch.uint8)
    ids = [str(k) for k in range(count)]
    return LabelledImages(name="some", images=pictures, labels=[0] * count, ids=ids, classes=["a", "b"])


@pytest.mark.parametrize(("count", "steps"), [(3, 1), (8, 1), (9, 1 + 2), (800, 1 + 6)])
def test_no_more_steps_are_tried_than_an_epoch_has(count, steps):
    """One step to warm up, where there are several."""
    network, seen = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), []
    network.register_forward_hook(lambda *_: seen.append(1))
    seconds = seconds_per_epoch(network, data(count), data(2), TrainingSettings(batch_size=8, device="cpu"))
    assert len(seen) == steps
    assert seconds > 0

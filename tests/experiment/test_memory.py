"""What a run does with the whole data set before it trains: hashed and tried out a part at a time."""

import hashlib

import pytest
from peaks import growth_alone, pictures

from kdprobe.experiment import setup

_WORK = """
from torch import nn
from peaks import growth
from kdprobe.experiment import setup
from kdprobe.experiment.config import ExperimentConfig, MeasureConfig
from kdprobe.experiment.forecast import seconds_per_epoch
from kdprobe.training import TrainingSettings

def load(data):
    setup.load_data = lambda name, **_: data
    setup.load_material(ExperimentConfig(measure=MeasureConfig(images=4)))

def forecast(data):
    network = nn.Sequential(nn.Conv2d(3, 4, 7, stride=8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    seconds_per_epoch(network, data, data, TrainingSettings(batch_size=16, device="cpu"))

"""


@pytest.mark.slow
@pytest.mark.parametrize("work", ["load", "forecast"])
def test_no_floating_point_copy_of_the_data_set_is_made(work):
    assert growth_alone(f"{_WORK}print(growth({work}))") < 0.4


def test_the_digest_is_that_of_all_images_at_once_whatever_the_part(monkeypatch):
    data = pictures(5)
    whole = hashlib.sha256(data.images.numpy().tobytes() + data.labels.numpy().tobytes()).hexdigest()
    for part in (1, 2, 5, 64):
        monkeypatch.setattr(setup, "_AT_ONCE", part)
        assert setup.content_digest(data) == whole

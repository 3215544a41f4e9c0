"""The memory of a training grows with the batch, not with the data set."""

import pytest
import torch
from peaks import growth_alone
from torch import nn

from kdprobe.data import LabelledImages
from kdprobe.training import evaluate_accuracy

pytestmark = pytest.mark.slow
_WORK = """
import tempfile
from torch import nn
from peaks import growth
from kdprobe.recipes import load_recipe
from kdprobe.storage import SnapshotStore
from kdprobe.training import TrainingSettings, evaluate_accuracy, train_network

def network():
    pooled = nn.Sequential(nn.Conv2d(3, 4, 7, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(pooled, nn.Linear(4, 4))

def train(data):
    settings = TrainingSettings(epochs=2, batch_size=16, device="cpu", flips=True)
    with tempfile.TemporaryDirectory() as folder:
        given = dict(settings=settings, layer=None, store=SnapshotStore(folder), seed=1)
        train_network(network(), load_recipe("baseline"), data, None, **given)

def evaluate(data):
    evaluate_accuracy(network(), data)

"""


def test_training_takes_no_floating_point_copy_of_the_data_set():
    assert growth_alone(f"{_WORK}print(growth(train))") < 0.4


def test_evaluation_takes_no_floating_point_copy_of_the_data_set():
    assert growth_alone(f"{_WORK}print(growth(evaluate))") < 0.4


@pytest.mark.parametrize(("count", "side", "largest"), [(600, 32, 250), (60, 224, 26), (2, 1200, 1)])
def test_an_evaluation_takes_fewer_large_images_at_a_time_than_small_ones(count, side, largest):
    torch.manual_seed(0)
    model, sizes = nn.Sequential(nn.AvgPool2d(side), nn.Flatten(), nn.Linear(3, 2)), []
    model.register_forward_pre_hook(lambda module, images: sizes.append(len(images[0])))
    labels = torch.arange(count) % 2
    names = [str(i) for i in range(count)]
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    data = LabelledImages(name="noise", images=pixels, labels=labels, ids=names, classes="ab")
    accuracy = evaluate_accuracy(model, data)
    assert max(sizes) == largest and sum(sizes) == count
    assert accuracy == float((model(data.images).argmax(1) == labels).double().mean())

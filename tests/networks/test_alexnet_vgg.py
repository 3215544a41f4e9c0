"""AlexNet and the VGGs: torchvision's, with the layers that the released code names."""

import pytest
import torch
import torchvision
from torch import nn

from kdprobe.networks import NETWORKS


@pytest.mark.parametrize(
    ("name", "taps"),
    [
        ("alexnet", ["features.10", "classifier.1", "classifier.4", "classifier.6"]),
        ("vgg11", ["features.18", "classifier.0", "classifier.3", "classifier.6"]),
        ("vgg16", ["features.28", "classifier.0", "classifier.3", "classifier.6"]),
        ("vgg19", ["features.34", "classifier.0", "classifier.3", "classifier.6"]),
    ],
)
def test_taps_are_the_modules_of_the_released_code_and_the_rest_is_torchvisions(name, taps):
    with torch.device("meta"):
        model = NETWORKS[name](num_classes=1000, image_shape=(3, 227, 227), dropout=0.3)
        theirs = getattr(torchvision.models, name)(weights=None)
    assert [model.taps[tap] for tap in ("conv", "fc1", "fc2", "fc3")] == taps
    assert [(n, v.shape) for n, v in model.state_dict().items()] == [
        (n, v.shape) for n, v in theirs.state_dict().items()
    ]
    assert type(model) is type(theirs)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.3]


def test_narrow_linear_layers_for_little_memory():
    with torch.device("meta"):
        model = NETWORKS["alexnet"](num_classes=3, image_shape=(3, 63, 63), fc=8)
        assert model(torch.empty(2, 3, 63, 63)).shape == (2, 3)
    assert [(m.in_features, m.out_features) for m in model.classifier if isinstance(m, nn.Linear)] == [
        (9216, 8),
        (8, 8),
        (8, 3),
    ]

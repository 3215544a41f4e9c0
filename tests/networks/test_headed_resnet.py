"""The ResNets with the paper's head."""

import pytest
import torch
import torchvision
from torch.nn import functional as F

from kdprobe.errors import ConfigError
from kdprobe.networks import build_network
from kdprobe.networks.listing import tap_shapes
from kdprobe.networks.summed_blocks import summed_resnet


def test_a_headed_resnet_is_torchvisions_body_two_convolutions_pooling_and_three_linear_layers(tmp_path):
    """The same function from torchvision's own network and plain calls on the state dict."""
    plain = torchvision.models.resnet18(weights=None)
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    model = build_network(
        "resnet18", num_classes=4, image_shape=(3, 64, 64), seed=2, fc=10, pretrained=tmp_path / "plain.pth"
    )
    images = torch.randn(4, 3, 64, 64)
    model.train()(images)  # moves the running statistics, of which the body's are then those of `plain`
    for name, value in plain.state_dict().items():
        if not name.startswith("fc."):
            value.copy_(model.state_dict()[name])
    model.eval(), plain.eval()
    w = model.state_dict()
    with torch.no_grad():
        x = plain.maxpool(plain.relu(plain.bn1(plain.conv1(images))))
        for layer in (plain.layer1, plain.layer2, plain.layer3, plain.layer4):
            x = layer(x)
        for k in (1, 2):
            x = F.conv2d(x, w[f"added.conv{k}.weight"], w[f"added.conv{k}.bias"], padding=1)
            mean, var = w[f"added.norm{k}.running_mean"], w[f"added.norm{k}.running_var"]
            x = ((x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)).clamp(min=0)
        x = x.mean((2, 3))
        for layer in ("fc1", "fc2", "fc3"):
            x = x @ w[f"classifier.{layer}.weight"].T + w[f"classifier.{layer}.bias"]
            x = x if layer == "fc3" else x.clamp(min=0)
        torch.testing.assert_close(model(images), x, atol=1e-5, rtol=1e-4)


def test_the_hidden_width_is_an_option():
    with torch.device("meta"):
        model = build_network("resnet50", num_classes=3, image_shape=(3, 64, 64), fc=6, dropout=0.25)
        shapes = tap_shapes(model.eval(), torch.empty(1, 3, 64, 64))
    assert {tap: shape for tap, shape in shapes.items() if "stage" not in tap} == {
        "conv": (2048, 2, 2),
        **dict.fromkeys(("fc1", "fc2", "embedding"), (6,)),
        "fc3": (3,),
    }
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)] == [0.25, 0.25]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_blocks_with_a_tapped_sum_give_torchvisions_values_statistics_and_gradients_bit_for_bit(name):
    torch.manual_seed(0)
    theirs, ours = getattr(torchvision.models, name)(weights=None), summed_resnet(name)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    for network in (theirs, ours):
        network(images).square().sum().backward()
    gradients = [[p.grad for p in network.parameters()] for network in (theirs, ours)]
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
    assert all(torch.equal(*pair) for pair in zip(theirs.buffers(), ours.buffers(), strict=True))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet101", "resnet152"])
def test_the_weights_have_torchvisions_names_and_shapes(name):
    with torch.device("meta"):
        states = [
            network.state_dict() for network in (getattr(torchvision.models, name)(), summed_resnet(name))
        ]
    theirs, ours = ([(key, value.shape) for key, value in state.items()] for state in states)
    assert ours == theirs


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
@pytest.mark.parametrize(
    ("options", "word"),
    [({"fc": 0}, "fc"), ({"fc": 2.0}, "fc"), ({"dropout": 1}, "dropout"), ({"dropout": "much"}, "dropout")],
)
def test_a_wrong_head_is_named(name, options, word):
    with pytest.raises(ConfigError, match=f"{name} needs {word}"):
        build_network(name, num_classes=3, image_shape=(3, 64, 64), **options)

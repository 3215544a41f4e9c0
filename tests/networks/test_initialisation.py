"""The released initialisation: its distribution, its bits, and that nothing is left uninitialised."""

import pytest
import torch
from torch import nn

from kdprobe.networks import build_network

SMALL = {"alexnet": 63, "vgg16": 32, "vgg11": 32, "resnet18": 32}


@pytest.fixture
def unset_is_nan():
    """Memory that is not written shows as NaN."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


def small(name, seed=0, **options):
    shape = (3, SMALL[name], SMALL[name])
    return build_network(name, num_classes=5, image_shape=shape, seed=seed, fc=12, **options)


def drawn(sequence, seed):
    """The weights of the layers of `sequence` as (kind, shape) in one sequence of draws, by their definitions."""
    generator = torch.Generator().manual_seed(seed)
    for shape in sequence:
        fan_out = shape[0] * shape[2] * shape[3] if len(shape) == 4 else None
        std = (2 / fan_out) ** 0.5 if fan_out else 0.01
        yield torch.empty(shape).normal_(0, std, generator=generator)


def weights(model):
    return {n: p for n, p in model.named_parameters() if n.endswith("weight") and p.ndim > 1}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("alexnet", [["features"], ["classifier"]]),
        ("vgg11", [["features"], ["classifier"]]),
        ("vgg16", [["features", "classifier"]]),  # the released code draws this one in one go
        ("resnet18", [["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"], ["added"], ["classifier"]]),
    ],
)
def test_weights_are_kaiming_normal_and_normal_001_with_the_seed_set_anew_for_every_part(
    name, parts, unset_is_nan
):
    model = small(name, seed=3)
    compared = set()
    for part in parts:
        inside = {n: w for n, w in weights(model).items() if n.partition(".")[0] in part}
        for (n, weight), expected in zip(
            inside.items(), drawn([w.shape for w in inside.values()], seed=3), strict=True
        ):
            torch.testing.assert_close(weight.detach(), expected, rtol=1e-6, atol=0)
            compared.add(n)
    assert compared == set(weights(model))
    for tensor_name, tensor in model.state_dict().items():
        if tensor.ndim < 2:  # biases, norms and their statistics
            one = tensor_name.endswith(("weight", "running_var"))
            assert torch.equal(tensor, torch.full_like(tensor, int(one))), tensor_name


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_one_seed_gives_the_same_bits_and_another_others(name):
    model, again, other = small(name, 4), small(name, 4), small(name, 5)
    for tensor, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[tensor])
    assert not torch.equal(
        model.get_submodule(model.taps["fc1"]).weight, other.get_submodule(model.taps["fc1"]).weight
    )


@pytest.mark.parametrize("name", ["resnet20", "plain20", "wrn_16_2"])
def test_small_networks_start_kaiming_normal_by_fan_out(name):
    model = build_network(name, num_classes=5, image_shape=(3, 32, 32), seed=1)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight.numel() / module.in_channels
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)
    again = build_network(name, num_classes=5, image_shape=(3, 32, 32), seed=1)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in model.state_dict().items())

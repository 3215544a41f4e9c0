import pytest
import torch
from torch import nn

from kdprobe.errors import LayerError
from kdprobe.estimator import capture, layer_path, modules_below, parameters_below, truncated_forward
from kdprobe.estimator.taps import check_tap, untouched


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.taps = {"conv": "body.1", "fc1": "head.1"}
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * 36, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.body(x))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def images():
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_layer_names(net):
    assert layer_path(net, "fc1") == "head.1"
    assert layer_path(net, "head.3") == "head.3"
    with pytest.raises(LayerError, match=r"no layer 'head\.9'.*head\."):
        layer_path(net, "head.9")


def test_value_before_an_in_place_relu(net, images):
    with capture(net, "conv") as tap:
        net(images)
    assert (tap.value < 0).any()
    net.eval()
    with torch.no_grad(), capture(net, "fc1") as tap:
        net(images)
    assert torch.equal(tap.value, net.head[1](net.body(images).flatten(1)))


def test_truncated_forward_is_the_value_and_goes_no_further(net, images):
    net.eval()
    ran = []
    net.head[3].register_forward_hook(lambda *_: ran.append(1))
    with torch.no_grad(), capture(net, "fc1") as tap:
        net(images)
    assert len(ran) == 1
    with torch.no_grad():
        assert torch.equal(truncated_forward(net, "fc1", images), tap.value)
    assert len(ran) == 1


def test_hooks_are_gone_afterwards(net, images):
    truncated_forward(net, "fc1", images)
    with capture(net, "fc1"):
        net(images)
    with pytest.raises(RuntimeError), capture(net, "fc1"):
        net(images[:, :1])
    assert not any(module._forward_hooks for module in net.modules())


def test_a_tap_that_never_fires_or_fires_twice(net, images):
    with pytest.raises(LayerError, match="never fired"):
        truncated_forward(net, "unused", images)
    with pytest.raises(LayerError, match="never fired"):
        check_tap(net, "unused", images)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.shared(self.shared(x))

    with pytest.raises(LayerError, match="fired 2 times"):
        check_tap(Twice(), "shared", images)


def test_an_output_that_is_no_tensor(images):
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    model = nn.Sequential(Pair())
    with pytest.raises(LayerError, match="returns a tuple"):
        truncated_forward(model, "0", images)
    with pytest.raises(LayerError, match="returns a tuple"):
        check_tap(model, "0", images)


def test_untouched_puts_everything_back_also_after_an_error(net):
    net.train()
    net.body[1].eval()
    net.head[1].weight.requires_grad_(False)
    flags = [module.training for module in net.modules()]
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with pytest.raises(KeyError), untouched(net):
        assert not any(module.training for module in net.modules())
        assert not any(p.requires_grad for p in net.parameters())
        torch.rand(2)
        raise KeyError
    assert [module.training for module in net.modules()] == flags
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["head.1.weight"]
    assert torch.equal(torch.rand(4), expected)


def test_what_lies_below(net, images):
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert parameters_below(net, "conv", images) == (
        "body.0.weight",
        "body.0.bias",
        "body.1.weight",
        "body.1.bias",
    )
    assert parameters_below(net, "fc1", images)[-2:] == ("head.1.weight", "head.1.bias")
    assert modules_below(net, "fc1", images) == ("body.0", "body.1", "body.2", "head.0", "head.1")
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())

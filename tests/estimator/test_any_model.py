"""Any module with named layers can be measured, however it is wrapped, written or set up, and comes back unharmed."""

import copy
from contextlib import suppress

import pytest
import torch
from torch import nn

from kdprobe import EntropyEstimator, Outcome
from kdprobe.errors import InputError, LayerError
from kdprobe.estimator import Decomposed, layer_path, parameters_below, truncated_forward
from kdprobe.estimator.taps import check_tap, measuring

SMALL = Decomposed(pairs=2, refreshes=2, scale_samples=8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.taps = {"fc1": "head.1"}
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.body[1].running_mean.normal_(0, 0.1)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 12), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(12, 2)
        )

    def forward(self, x):
        return self.head(self.body(x))


@pytest.fixture
def images():
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def measure(model, images, layer="fc1", **options):
    return EntropyEstimator(model, layer, grid=4, solver=SMALL, **options).estimate(images)


def same(a, b):
    return torch.equal(a.entropy, b.entropy) and torch.equal(a.std_error, b.std_error)


def compiled_inside(net):
    net.body = torch.compile(net.body, backend="eager")
    net.head[1] = torch.compile(net.head[1], backend="eager")
    return net


def compiled_in_place(net):
    net.compile(backend="eager")
    return net


WRAPPERS = {
    "parallel": nn.DataParallel,
    "compiled": lambda net: torch.compile(net, backend="eager"),
    "both": lambda net: torch.compile(nn.DataParallel(net), backend="eager"),
    "layers compiled": compiled_inside,
    "compiled in place": compiled_in_place,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_network_is_measured_as_the_bare_one(images, wrapper):
    plain = measure(Net(), images)
    model = WRAPPERS[wrapper](Net())
    for layer in ("fc1", "head.1", "module.head.1", "_orig_mod.head.1", "module._orig_mod.fc1"):
        result = measure(model, images, layer)
        assert same(result, plain), layer
        assert result.stats["layer_path"] == "head.1"
    for layer in ("module.head.1", "_orig_mod.head.1"):
        assert layer_path(Net(), layer) == "head.1"
    with pytest.raises(LayerError, match=r"Net has no layer 'module\.fc9'; the nearest names are fc1"):
        layer_path(model, "module.fc9")
    assert torch.equal(
        truncated_forward(model.eval(), "fc1", images), truncated_forward(Net().eval(), "fc1", images)
    )


def test_a_child_of_the_name_module_is_a_layer_like_any_other(images):
    net = nn.Sequential()
    net.module = Net()
    assert layer_path(net, "module.head.1") == "module.head.1"
    assert layer_path(nn.DataParallel(net), "module.head.1") == "module.head.1"
    assert layer_path(nn.DataParallel(net), "module.module.head.1") == "module.head.1"
    assert measure(net, images, "module.head.1").outcome == (Outcome.OK,) * 2


def test_compiled_networks_are_not_compiled_anew_for_the_measurement(images):
    graphs = []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    net = Net().eval()
    model = torch.compile(net, backend=backend)
    expected = model(images)
    count = len(graphs)
    measure(model, images)
    net.body = torch.compile(net.body, backend=backend)
    measure(net, images)
    assert len(graphs) == count > 0
    assert torch.equal(model(images), expected)


def test_parameters_below_keep_the_wrapped_networks_names(images):
    below = parameters_below(Net(), "fc1", images)
    assert parameters_below(nn.DataParallel(Net()), "fc1", images) == tuple(f"module.{n}" for n in below)


@pytest.mark.parametrize("taps", [None, 3, ["head.1"], {"fc1": None}, nn.ModuleDict({"a": nn.ReLU()})])
def test_an_attribute_taps_that_means_something_else(images, taps):
    net = Net()
    del net.taps
    net.taps = taps
    assert layer_path(net, "head.1") == "head.1"
    with pytest.raises(LayerError, match="no layer 'fc1'"):
        layer_path(net, "fc1")


def test_a_layer_under_two_names_and_a_network_without_any(images):
    net = Net()
    net.alias = net.head[1]
    assert same(measure(net, images, "alias"), measure(Net(), images))
    with pytest.raises(LayerError, match=r"Linear has no named layers; wrap it in nn\.Sequential"):
        layer_path(nn.Linear(2, 2), "weight")


class Careful(nn.Module):
    """Goes on with zeros where a layer raises."""

    def __init__(self, everything):
        super().__init__()
        self.net, self.everything = Net(), everything

    def forward(self, x):
        # Bad manners on purpose, as networks of users have them: the exception that cuts a pass short must get through,
        # or, where nothing does, the value must be right all the same.
        with suppress(BaseException if self.everything else Exception):
            return self.net(x)
        return torch.zeros(len(x), 2)


@pytest.mark.parametrize("everything", [False, True])
def test_a_forward_that_swallows_exceptions(images, everything):
    model = Careful(everything)
    assert same(measure(model, images, "net.head.1"), measure(Net(), images))
    # Before the in-place ReLU, also where the pass could not be cut.
    passes = []
    model.net.body.register_forward_hook(lambda *_: passes.append(1))
    value = truncated_forward(model.eval(), "net.head.1", images)
    assert len(passes) == (2 if everything else 1)
    assert torch.equal(value, truncated_forward(Net().eval(), "fc1", images))
    assert (value < 0).any()


def test_an_error_inside_the_network_comes_through_and_leaves_it_as_it_was(images):
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.passes = Net(), 0

        def forward(self, x):
            self.passes += 1
            if self.passes == 4:
                raise KeyError("inside")
            return self.net(x)

    model = Fails().bfloat16().train()
    state = copy.deepcopy(model.state_dict())
    with pytest.raises(KeyError, match="inside"):
        measure(model, images, "net.head.1")
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.dtype == torch.bfloat16 for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_without_parameters(images):
    net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten())
    result = measure(net, images, "1")
    assert result.outcome == (Outcome.OK,) * 2
    assert same(measure(net, images.half(), "1"), measure(net, images.half().float(), "1"))
    # f is the sum over pixels, so that all cells are alike: 4 pixels each.
    assert (measure(nn.Sequential(nn.Flatten()), images, "0").entropy.std((1, 2)) < 0.2).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_weights_are_measured_in_float32(images, dtype):
    net = Net().to(dtype)
    net.head.float()  # half of the network only
    result = measure(net, images.to(dtype))
    assert same(result, measure(Net().to(dtype).float(), images.to(dtype).float()))
    assert net.body[0].weight.dtype == net.body[1].running_var.dtype == dtype
    assert parameters_below(net, "fc1", images) == parameters_below(Net(), "fc1", images)
    assert check_tap(net, "fc1", images).dtype == torch.float32


def test_float64_networks_stay_float64(images):
    seen = []
    net = Net().double()
    net.body[0].register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    measure(net, images)
    assert set(seen) == {torch.float64}


def test_whatever_mode_the_caller_is_in(images):
    plain = measure(Net(), images)
    with torch.no_grad():
        assert same(measure(Net(), images), plain)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert same(measure(Net(), images), plain)
    net = Net()
    with torch.inference_mode():
        assert same(measure(net, images), plain)
        assert same(measure(net, images.clone()), plain)
        inside = Net()
    with pytest.raises(InputError, match="inference_mode"):
        measure(inside, images)
    assert same(measure(Net(), images.clone().requires_grad_()), plain)


def test_the_users_hooks_stay_and_fire(images):
    net, fired = Net(), []
    net.head[1].register_forward_hook(lambda *_: fired.append("forward"))
    net.head[1].register_forward_pre_hook(lambda *_: fired.append("before"))
    net.body[0].register_full_backward_hook(lambda *_: fired.append("backward"))
    net.head[4].register_forward_hook(lambda *_: fired.append("above"))
    before = [
        (dict(m._forward_hooks), dict(m._forward_pre_hooks), dict(m._backward_hooks)) for m in net.modules()
    ]
    result = measure(net, images)
    after = [
        (dict(m._forward_hooks), dict(m._forward_pre_hooks), dict(m._backward_hooks)) for m in net.modules()
    ]
    assert after == before
    assert fired.count("forward") == fired.count("before") > 10
    assert fired.count("backward") > 4
    assert fired.count("above") == 1  # in the one whole pass, which looks whether the layer fires once
    assert same(result, measure(Net(), images))
    # A hook that changes the layer's value changes what is measured: it is part of the network.
    net.head[1].register_forward_hook(lambda _m, _i, output: output[:, :3])
    assert torch.equal(
        truncated_forward(net.eval(), "fc1", images).detach(),
        truncated_forward(Net().eval(), "fc1", images)[:, :3],
    )


def test_modules_with_a_train_of_their_own_come_back(images):
    class Augmented(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.noisy, self.calls = Net(), True, []

        def train(self, mode=True):
            self.noisy = mode
            self.calls.append(mode)
            return super().train(mode)

        def forward(self, x):
            return self.net(x + torch.randn_like(x) if self.noisy else x)

    model = Augmented()
    model.net.body.eval()
    assert same(measure(model, images, "net.head.1"), measure(Net(), images))
    assert model.noisy
    assert model.training and model.net.training
    assert not model.net.body.training and not model.net.body[1].training


def test_layers_whose_value_cannot_be_measured(images):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.codes, self.turned, self.total = (nn.Identity() for _ in range(4))

        def forward(self, x):
            self.codes(x.argmax(1))
            self.turned(x.flatten(2).permute(2, 0, 1))  # (pixels, batch, channels), as in some transformers
            self.total(x.sum())
            return self.first(x)

    with pytest.raises(LayerError, match=r"'codes' returns torch\.int64 values"):
        measure(Odd(), images, "codes")
    with pytest.raises(LayerError, match=r"'turned' returns \(64, 1, 3\) for a batch of 1"):
        measure(Odd(), images, "turned")
    with pytest.raises(LayerError, match=r"'total' returns \(\) for a batch of 1"):
        measure(Odd(), images, "total")
    with pytest.raises(LayerError, match="lets no gradient through"):
        measure(nn.Sequential(Rounds(), nn.Flatten()), images, "1")
    with pytest.raises(InputError, match="lazy layers"):
        measure(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), images, "1")


class Rounds(nn.Module):
    def forward(self, x):
        return (x.detach() * 4).round()


def test_measuring_can_be_nested(images):
    net = Net().half()
    with measuring(net), measuring(net):
        assert net.head[1].weight.dtype == torch.float32
    assert net.head[1].weight.dtype == torch.float16
    assert net.training

"""Architectures, their taps, their seed, and one's own."""

import json

import pytest
import torch
from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.networks import NETWORKS, build_network, network_provenance

SHAPE = (3, 32, 32)


def tapped(model, images):
    """The values at the taps and what the modules named by them were followed by."""
    values = {}
    hooks = [
        model.get_submodule(path).register_forward_hook(
            lambda m, i, o, tap=tap: values.update({tap: o.clone()})
        )
        for tap, path in model.taps.items()
    ]
    logits = model(images)
    for hook in hooks:
        hook.remove()
    return logits, values


def check_order(model):
    """The taps: last convolution (or its norm) and the linear layers; a ReLU follows all but the last."""
    modules = [m for m in model.modules() if not list(m.children())]
    place = {tap: modules.index(model.get_submodule(path)) for tap, path in model.taps.items()}
    assert list(place) == ["conv", "fc1", "fc2", "fc3"]
    assert all(isinstance(modules[place[tap] + 1], nn.ReLU) for tap in ("conv", "fc1", "fc2"))
    last = max(k for k, m in enumerate(modules) if isinstance(m, nn.Conv2d))
    assert all(isinstance(m, nn.Conv2d | nn.BatchNorm2d) for m in modules[last : place["conv"] + 1])
    assert [place[t] for t in ("fc1", "fc2", "fc3")] == [
        k for k, m in enumerate(modules) if isinstance(m, nn.Linear)
    ]


def test_taps_are_before_the_relu_and_fc3_is_the_logits():
    model = build_network("vgg_small", num_classes=7, image_shape=SHAPE, seed=0).eval()
    check_order(model)
    logits, values = tapped(model, torch.randn(4, *SHAPE))
    assert logits.shape == (4, 7) and torch.equal(values["fc3"], logits)
    for tap in ("conv", "fc1", "fc2"):
        assert (values[tap] < 0).any(), tap  # not after a ReLU


def test_vgg11_is_torchvisions_with_taps():
    with torch.device("meta"):  # shapes only: it has 129 million weights
        model = NETWORKS["vgg11"](num_classes=7, image_shape=SHAPE, dropout=0.3)
        assert model(torch.zeros(2, *SHAPE)).shape == (2, 7)
    check_order(model)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.3]
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 8


def test_vgg_small_sizes_and_options():
    model = build_network(
        "vgg_small", num_classes=5, image_shape=(1, 64, 48), seed=0, widths=[8, 12, 16, 20], fc=24
    )
    _, values = tapped(model.eval(), torch.randn(2, 1, 64, 48))
    assert values["conv"].shape == (2, 20, 8, 6)
    assert values["fc1"].shape == values["fc2"].shape == (2, 24)
    assert model.classifier.fc1.in_features == 20 * 4 * 3


def test_vgg_small_is_conv_norm_relu_pool_then_three_linear_layers():
    """The same function in plain calls, from the state dict alone."""
    model = build_network("vgg_small", num_classes=4, image_shape=(3, 16, 16), seed=2, widths=(4, 6), fc=8)
    images = torch.randn(8, 3, 16, 16)
    model.train()(images)  # moves the running statistics
    model.eval()
    w, x = model.state_dict(), images
    f = nn.functional
    for block in ("features.block1", "features.block2"):
        x = f.conv2d(x, w[f"{block}.conv.weight"], padding=1)
        mean, var = w[f"{block}.norm.running_mean"], w[f"{block}.norm.running_var"]
        x = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
        x = x * w[f"{block}.norm.weight"][:, None, None] + w[f"{block}.norm.bias"][:, None, None]
        x = f.max_pool2d(x.clamp(min=0), 2)
    x = x.reshape(8, -1)
    for layer in ("fc1", "fc2", "fc3"):
        x = x @ w[f"classifier.{layer}.weight"].T + w[f"classifier.{layer}.bias"]
        x = x if layer == "fc3" else x.clamp(min=0)
    torch.testing.assert_close(model(images), x, atol=1e-5, rtol=1e-5)


def test_vgg_small_works_inside_vmap():
    model = build_network(
        "vgg_small", num_classes=4, image_shape=(3, 16, 16), seed=0, widths=(4,), fc=8
    ).eval()
    images = torch.randn(3, 3, 16, 16)
    one_by_one = torch.vmap(lambda image: model(image[None])[0])(images)
    torch.testing.assert_close(one_by_one, model(images), atol=1e-5, rtol=1e-5)


def test_the_classifier_keeps_the_signal_alive():
    """With He's initialisation the spread stays from fc1 to fc2; PyTorch's own start shrinks it threefold."""
    model = build_network("vgg_small", num_classes=10, image_shape=SHAPE, seed=0)
    _, values = tapped(model.train(), torch.randn(64, *SHAPE))
    assert (values["fc2"].detach().std() / values["fc1"].detach().std()).item() > 0.6


def test_the_seed_decides_the_weights_and_nothing_else_is_touched():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first, again, other = (
        build_network("vgg_small", num_classes=3, image_shape=SHAPE, seed=s, widths=(4,)) for s in (5, 5, 6)
    )
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    late = build_network("vgg_small", num_classes=3, image_shape=SHAPE, seed=5, widths=(4,))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]) and torch.equal(weight, late.state_dict()[name])
    assert not torch.equal(first.classifier.fc1.weight, other.classifier.fc1.weight)


OWN = """
from torch import nn

def plain(num_classes, width=4):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, num_classes))

def tapped(**keywords):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, keywords["num_classes"]))
    model.taps = {"fc1": "1"}
    model.keywords = keywords
    return model

def wrong_tap(num_classes):
    model = nn.Sequential(nn.Flatten())
    model.taps = {"fc1": "classifier"}
    return model

def no_module(num_classes):
    return num_classes
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return str(tmp_path / "own.py")


def test_ones_own_function_gets_what_it_names(own):
    model = build_network(f"{own}:plain", num_classes=6, image_shape=SHAPE, seed=0, width=9)
    assert model(torch.zeros(1, *SHAPE)).shape == (1, 6) and model[1].out_features == 9
    full = build_network(f"{own}:tapped", num_classes=6, image_shape=SHAPE, seed=0, depth=2)
    assert full.keywords == {"num_classes": 6, "image_shape": SHAPE, "depth": 2}
    a, b = (
        build_network(f"{own}:tapped", num_classes=6, image_shape=SHAPE, seed=4)[1].weight for _ in range(2)
    )
    assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("function", "options", "word"),
    [
        ("plain", {"widht": 3}, "Did you mean 'width'"),
        ("no_module", {}, "torch.nn.Module"),
        ("wrong_tap", {}, "'classifier'"),
        ("missing", {}, "'missing'"),
    ],
)
def test_ones_own_function_that_cannot_be_used(own, function, options, word):
    with pytest.raises(ConfigError) as error:
        build_network(f"{own}:{function}", num_classes=2, image_shape=SHAPE, seed=0, **options)
    assert word in str(error.value)


@pytest.mark.parametrize(
    ("name", "keywords", "word"),
    [
        ("vgg_smal", {}, "Did you mean 'vgg_small'"),
        ("vgg_small", {"width": (3,)}, "Did you mean 'widths'"),
        ("vgg_small", {"widths": (4,) * 6}, "32 x 32"),
        ("vgg_small", {"widths": ()}, "widths"),
        ("vgg_small", {"fc": 0}, "fc"),
        ("vgg_small", {"num_classes": 0}, "num_classes"),
        ("vgg_small", {"image_shape": (32, 32)}, "image_shape"),
        ("vgg11", {"image_shape": (1, 64, 64)}, "RGB"),
        ("vgg11", {"image_shape": (3, 16, 16)}, "32 x 32"),
    ],
)
def test_wrong_settings_are_named(name, keywords, word):
    with pytest.raises(ConfigError) as error:
        build_network(name, **{"num_classes": 3, "image_shape": SHAPE, "seed": 0, **keywords})
    assert word in str(error.value)


def test_provenance_is_json_and_notices_a_changed_file(own):
    assert json.loads(json.dumps(network_provenance("vgg_small", {"widths": (4, 8)}))) == {
        "name": "vgg_small",
        "options": {"widths": [4, 8]},
    }
    before = network_provenance(f"{own}:plain", {})
    with open(own, "a") as file:
        file.write("\n# changed\n")
    after = network_provenance(f"{own}:plain", {})
    assert before["source"]["sha256"] != after["source"]["sha256"]
    assert before["source"]["path"] == after["source"]["path"]
    with pytest.raises(ConfigError):
        network_provenance("no_such_network", {})


def test_the_table_names_all_networks():
    assert set(NETWORKS) >= {"vgg_small", "vgg11"}

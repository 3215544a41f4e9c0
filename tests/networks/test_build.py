"""Architectures, their taps, their seed, and one's own."""

import json

import pytest
import torch
from torch import nn

from kdprobe.errors import ConfigError
from kdprobe.networks import NETWORKS, build_network, network_provenance
from kdprobe.networks.sizes import SIZES

SHAPE = (3, 32, 32)


@pytest.mark.parametrize("name", ["vgg_small", "alexnet", "vgg11", "vgg16", "vgg19", "resnet18", "resnet50"])
def test_conv_is_the_last_convolution_and_fc1_to_fc3_are_the_linear_layers_each_but_the_last_before_its_relu(
    name,
):
    side = SIZES[name].own
    with torch.device("meta"):
        model = NETWORKS[name](num_classes=7, image_shape=(3, side, side))
    modules = [m for m in model.modules() if not list(m.children())]
    place = {
        tap: modules.index(model.get_submodule(model.taps[tap])) for tap in ("conv", "fc1", "fc2", "fc3")
    }
    assert all(isinstance(modules[place[tap] + 1], nn.ReLU) for tap in ("conv", "fc1", "fc2"))
    last = max(k for k, m in enumerate(modules) if isinstance(m, nn.Conv2d))
    assert all(isinstance(m, nn.Conv2d | nn.BatchNorm2d) for m in modules[last : place["conv"] + 1])
    assert [place[t] for t in ("fc1", "fc2", "fc3")] == [
        k for k, m in enumerate(modules) if isinstance(m, nn.Linear)
    ]


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
        ("resnet200", {}, "Did you mean 'resnet20'"),
        ("vgg16", {"pretraind": True}, "Did you mean 'pretrained'"),
        ("plain20", {"shortcut": "pad"}, "plain20 has no option 'shortcut'"),
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


def test_provenance_says_where_pretrained_weights_are_from(tmp_path):
    assert "pretrained" not in network_provenance("vgg16", {"pretrained": False})
    record = network_provenance("vgg16", {"pretrained": True})
    assert record["options"] == {"pretrained": True}
    assert record["pretrained"]["url"].endswith("vgg16-397923af.pth")
    file = tmp_path / "plain.pth"
    assert network_provenance("vgg16", {"pretrained": file})["pretrained"]["sha256"] is None
    file.write_bytes(b"one")
    one = json.loads(json.dumps(network_provenance("vgg16", {"pretrained": file})))
    file.write_bytes(b"two")
    two = network_provenance("vgg16", {"pretrained": str(file)})
    assert one["options"] == two["options"] == {"pretrained": str(file)}
    assert one["pretrained"]["path"] == two["pretrained"]["path"] == str(file)
    assert one["pretrained"]["sha256"] != two["pretrained"]["sha256"]


def test_the_table_names_all_networks():
    thin, wide = ("20", "32", "56", "110"), ("8x4", "32x4")
    assert set(NETWORKS) == {
        *("vgg_small", "alexnet", "vgg11", "vgg16", "vgg19"),
        *("resnet18", "resnet50", "resnet101", "resnet152"),
        *(f"{family}{size}" for family in ("resnet", "plain") for size in thin + wide),
        *("wrn_16_2", "wrn_40_1", "wrn_40_2"),
    }
    for name, function in NETWORKS.items():
        assert function.__name__ == name and function.__doc__

"""Layers by their role: what they are in every family, and what is said where a network does not tell."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from kdprobe.errors import ConfigError
from kdprobe.estimator.taps import capture
from kdprobe.networks import ROLES, build_network, layers_of, list_networks

FAMILIES = {
    "vgg_small": 16,
    "alexnet": 63,
    "vgg11": 32,
    "resnet18": 32,
    "resnet50": 32,
    "resnet20": 16,
    "resnet8x4": 16,
    "plain20": 16,
    "wrn_16_2": 16,
}
HIDDEN = {name: {"fc": 8} for name in ("alexnet", "vgg11", "resnet18", "resnet50")}


def network(name):
    """With BatchNorms that are neither 0 nor 1 in anything, and images."""
    size = FAMILIES[name]
    model = build_network(name, num_classes=5, image_shape=(3, size, size), seed=1, **HIDDEN.get(name, {}))
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.3, generator=generator)
    images = torch.randn(6, 3, size, size, generator=generator)
    with torch.no_grad():
        model(images)
    return model.eval(), images


def value(model, layer, images):
    """Fires exactly once, or capture says so."""
    with torch.no_grad(), capture(model, layer) as tap:
        model(images)
    return tap.value


@pytest.mark.slow  # every network
@pytest.mark.parametrize("name", FAMILIES)
def test_a_stage_after_its_last_relu_is_the_relu_of_the_stage_before_it(name):
    model, images = network(name)
    after, before = layers_of(model, "{stages}"), layers_of(model, "{stages_preact}")
    assert len(after) == len(before) == {"vgg11": 5, "resnet18": 4, "resnet50": 4}.get(name, 3)
    for one, other in zip(after, before, strict=True):
        rectified, bare = value(model, one, images), value(model, other, images)
        assert bool((bare < 0).any()) and bool((bare > 0).any())
        assert torch.equal(rectified, functional.relu(bare))


@pytest.mark.parametrize("name", FAMILIES)
def test_stages_go_from_shallow_to_deep_and_every_one_has_fewer_pixels(name):
    model, images = network(name)
    sides = [value(model, layer, images).shape[-1] for layer in layers_of(model, "{stages}")]
    assert sides == sorted(set(sides), reverse=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_last_linear_layer_gets_the_embedding(name):
    model, images = network(name)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    (layer,) = layers_of(model, "{embedding}")
    with torch.no_grad():
        assert torch.equal(last(value(model, layer, images)), model(images))


@pytest.mark.parametrize("name", FAMILIES)
def test_in_training_too_the_last_linear_layer_gets_the_embedding(name):
    """After dropout, where there is any."""
    model, images = network(name)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    with capture(model, layers_of(model, "{embedding}")[0]) as tap:
        logits = model.train()(images)
    assert torch.equal(last(tap.value), logits)


def test_nothing_is_tapped_that_a_later_relu_in_place_has_changed():
    """torchvision's ReLUs work in place, on the value that their convolution returned."""
    model, images = network("alexnet")
    first = functional.conv2d(images, model.features[0].weight, model.features[0].bias, stride=4, padding=2)
    assert torch.equal(value(model, layers_of(model, "{stages_preact}")[0], images), first)


@pytest.mark.parametrize("name", ["plain20", "vgg11", "resnet18"])
def test_middle_and_last_are_among_the_stages(name):
    model, _ = network(name)
    for what in ("", "_preact"):
        stages = layers_of(model, f"{{stages{what}}}")
        assert layers_of(model, f"{{middle{what}}}") == (stages[len(stages) // 2],)
        assert layers_of(model, f"{{last{what}}}") == (stages[-1],)


def test_the_middle_is_where_the_distillation_tables_put_the_hint():
    """The second of three; of two the deeper one, the only one of one."""
    model, _ = network("resnet20")
    assert layers_of(model, "{middle}") == ("stage2",)
    model.taps = {"stage1": "stage1", "stage2": "stage3"}
    assert layers_of(model, "{middle}") == ("stage3",)
    model.taps = {"stage1": "stage1"}
    assert layers_of(model, "{middle}") == layers_of(model, "{last}") == ("stage1",)


@pytest.mark.slow  # every network
def test_every_network_fills_every_role(entries):
    wanted = {"embedding", "stage1", "stage1_preact"}
    assert {name for name, entry in entries.items() if wanted <= set(entry.taps)} == set(entries)
    with torch.device("meta"):
        for entry in list_networks():
            model = build_network(entry.name, num_classes=2, image_shape=entry.image_shape)
            assert all(
                path in dict(model.named_modules()) for role in ROLES for path in layers_of(model, role)
            )


def own(**taps):
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    model.taps = taps
    return model


@pytest.mark.parametrize(
    ("model", "role", "says"),
    [
        (
            nn.Linear(2, 2),
            "{middle_preact}",
            r"\{middle_preact\}: give it the taps stage1 \.\.\. stageN_preact",
        ),
        (nn.Linear(2, 2), "{stages}", r"taps stage1 \.\.\. stageN \("),
        (
            own(fc1="0"),
            "{embedding}",
            "Sequential does not say .* the taps embedding .*name the layers in the recipe",
        ),
        (own(stage1="1"), "{last_preact}", "the taps stage1_preact "),
        (own(stage1="0", stage3="1"), "{last}", "the taps stage2 "),
        (own(stage1_preact="0"), "{stages}", "the taps stage1 "),
        (own(stage1="1"), "{stage}", r"No role '\{stage\}' of layers; known are \{stages\}, .*\{embedding\}"),
    ],
)
def test_a_network_that_does_not_tell_is_refused_with_the_taps_that_it_lacks(model, role, says):
    with pytest.raises(ConfigError, match=says) as refusal:
        layers_of(model, role)
    assert "\n" not in str(refusal.value) and str(refusal.value).endswith(".")


def test_an_attribute_taps_that_means_something_else_is_no_tap():
    model = nn.Sequential(nn.ReLU())
    model.taps = 3
    with pytest.raises(ConfigError, match="give it the taps embedding"):
        layers_of(model, "{embedding}")

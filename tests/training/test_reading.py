"""One forward pass gives logits, layers and gradients by the image, as plain calls on the weights do."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from training.staged import StagedNet

from kdprobe.errors import LayerError
from kdprobe.training.reading import Reading

STAGES, BEFORE = (tuple(f"stage{k}{end}" for k in (1, 2, 3)) for end in ("", "_preact"))
IMAGES = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1])
LAYERS = frozenset({"teacher_features", "teacher_feature"})


def counted(network: nn.Module) -> list[str]:
    """The names of the modules that run, from here on."""
    ran: list[str] = []
    for name, module in network.named_modules():
        module.register_forward_hook(lambda _module, _inputs, _output, name=name: ran.append(name))
    return ran


@pytest.mark.parametrize("layers", [STAGES, BEFORE, (*BEFORE, *STAGES, "embedding")])
def test_several_layers_are_what_calls_on_the_weights_give_before_an_in_place_relu_too(layers):
    network = StagedNet(seed=1).eval()
    ran = counted(network)
    said = Reading("student", "stage2", layers).whole(
        network, IMAGES, frozenset({"student_features", "student_feature"})
    )
    assert ran.count("") == 1
    expected = network.by_hand(IMAGES)
    assert len(said["student_features"]) == len(layers)
    for value, layer in zip(said["student_features"], layers, strict=True):
        assert torch.allclose(value, expected[layer], atol=1e-5) and value.requires_grad, layer
    assert torch.allclose(said["student_feature"], expected["stage2"], atol=1e-5)
    assert any((value < 0).any() for value in said["student_features"]) == (layers != STAGES)
    assert torch.equal(said["student_logits"], network(IMAGES))


def test_where_logits_are_not_wanted_nothing_above_the_deepest_layer_runs():
    network = StagedNet(seed=1).eval()
    whole = Reading("teacher", None, STAGES[:2]).whole(network, IMAGES, LAYERS - {"teacher_feature"})
    ran = counted(network)
    said = Reading("teacher", None, STAGES[:2]).needed(network, IMAGES, LAYERS - {"teacher_feature"})
    assert (
        "stages.1" in ran and "stages.2" not in ran and "fc" not in ran and set(said) == {"teacher_features"}
    )
    for value, other in zip(said["teacher_features"], whole["teacher_features"], strict=True):
        assert torch.equal(value, other)


@pytest.mark.parametrize("layers", [("stage3", "stage1"), ("stage1", "stage1")])
def test_layers_in_another_order_are_read_all_the_same(layers):
    network = StagedNet(seed=1).eval()
    reading = Reading("teacher", "stage2", layers)
    for _ in range(2):
        said = reading.needed(network, IMAGES, LAYERS)
        for value, layer in zip(said["teacher_features"], layers, strict=True):
            assert torch.allclose(value, network.by_hand(IMAGES)[layer], atol=1e-5)
        assert torch.allclose(said["teacher_feature"], network.by_hand(IMAGES)["stage2"], atol=1e-5)


def test_a_layer_that_does_not_run_is_an_error():
    network = StagedNet(seed=1)
    network.idle = nn.Identity()
    with pytest.raises(LayerError, match="'idle' never fired"):
        Reading("teacher", None, ("stage1", "idle")).needed(network, IMAGES, frozenset({"teacher_features"}))


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_the_gradient_by_the_image_is_that_of_each_images_own_cross_entropy(who):
    """Against a pass of one image at a time, and against differences."""
    network = StagedNet(seed=2).double().eval()
    images = IMAGES.double()
    with torch.set_grad_enabled(who == "student"):
        said = Reading(who, "stage2").whole(network, images, frozenset({f"{who}_input_gradient"}), LABELS)
    gradient = said[f"{who}_input_gradient"]
    assert gradient.requires_grad == said[f"{who}_logits"].requires_grad == (who == "student")
    for row in range(len(images)):
        one = images[row : row + 1].clone().requires_grad_()
        (own,) = torch.autograd.grad(cross_entropy(network(one), LABELS[row : row + 1]), one)
        assert torch.allclose(gradient[row], own[0], atol=1e-12)
    step = torch.zeros_like(images)
    step[:, 1, 3, 4] = 1e-6
    with torch.no_grad():
        ends = [cross_entropy(network(images + sign * step), LABELS, reduction="none") for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / 2e-6
    assert torch.allclose(gradient[:, 1, 3, 4], slope, atol=1e-6) and slope.abs().max() > 1e-4
    assert not images.requires_grad


def test_a_loss_of_the_students_gradient_has_a_gradient_by_the_weights():
    """Double backward, against differences."""
    network = StagedNet(seed=2).double().eval()
    weight = network.stages[0][0].weight

    def loss() -> torch.Tensor:
        reading = Reading("student", None)
        said = reading.whole(network, IMAGES.double(), frozenset({"student_input_gradient"}), LABELS)
        return said["student_input_gradient"].square().sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    for place in [(0, 0, 0, 0), (2, 1, 1, 2)]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * 1e-6
            ends.append(loss().item())
            with torch.no_grad():
                weight[place] -= sign * 1e-6
        assert gradient[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)

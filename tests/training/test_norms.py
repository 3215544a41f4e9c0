"""Bias and weight of the BatchNorm behind a feature, and BatchNorms that take the statistics of the batch."""

import copy

import pytest
import torch
from torch import nn
from training.staged import StagedNet

from kdprobe.errors import LayerError
from kdprobe.networks import build_network, layers_of
from kdprobe.training.norms import batch_statistics, norm_names, norms_of
from kdprobe.training.teacher import state_digest

IMAGES = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("end", ["", "_preact"])
def test_it_is_the_last_one_of_as_many_channels_before_the_layer(end):
    network = StagedNet(seed=1, widths=(4, 4, 4))
    names = norm_names(network, [f"stage{k}{end}" for k in (1, 2, 3)], IMAGES)
    assert names == ("stages.0.1", "stages.1.1", "stages.2.1")
    for found, stage in zip(norms_of(network, names), network.stages, strict=True):
        assert found.shape == (2, 4) and not found.requires_grad
        assert torch.equal(found[0], stage[1].bias) and torch.equal(found[1], stage[1].weight.abs())
        assert (stage[1].weight < 0).any()


def test_of_another_width_it_is_not_taken():
    assert norm_names(StagedNet(widths=(4, 5, 4)), ["embedding"], IMAGES) == ("stages.2.1",)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 1), nn.Flatten())
    with pytest.raises(LayerError, match="no BatchNorm with 6 channels before the layer '2'"):
        norm_names(network, ["2"], IMAGES)
    bare = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False))
    with pytest.raises(LayerError, match=r"before the layer '1' .* has neither weight nor bias"):
        norm_names(bare, ["1"], IMAGES)
    later = nn.Sequential(bare[0], nn.BatchNorm2d(4), bare[1])  # the first does not say what comes out
    with pytest.raises(LayerError, match="'2', the last BatchNorm before the layer '2'"):
        norm_names(later, ["2"], IMAGES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet8x4", [f"stage{k}.0.norm2" for k in (1, 2, 3)]),  # not the one in the shortcut
        ("plain20", [f"stage{k}.2.norm2" for k in (1, 2, 3)]),
        ("wrn_16_2", ["stage2.0.norm1", "stage3.0.norm1", "norm"]),
        ("vgg_small", [f"features.block{k}.norm" for k in (1, 2, 3)]),
        ("resnet18", [f"layer{k}.1.bn2" for k in (1, 2, 3, 4)]),
    ],
)
def test_of_the_networks_stages_before_the_relu_it_is_that_of_the_last_convolution(name, expected):
    network = build_network(name, num_classes=3, image_shape=(3, 32, 32), seed=0)
    layers = layers_of(network, "{stages_preact}")
    images = torch.randn(2, 3, 32, 32)
    assert norm_names(network, layers, images) == tuple(expected)


def test_batch_statistics_are_those_of_training_and_leave_nothing_behind():
    network = nn.Sequential(StagedNet(seed=3).stages, nn.Dropout(0.5)).eval()
    other = copy.deepcopy(network)
    other[0].train()  # its dropout stays off
    before = state_digest(network)
    with batch_statistics(network):
        inside = network(IMAGES)
        assert not network[1].training
    assert torch.equal(inside, other(IMAGES)) and state_digest(other) != before
    assert state_digest(network) == before and not any(m.training for m in network.modules())
    assert not torch.allclose(network(IMAGES), inside)
    with pytest.raises(RuntimeError), batch_statistics(network):
        raise RuntimeError
    assert all(m.track_running_stats for m in network.modules() if isinstance(m, nn.BatchNorm2d))

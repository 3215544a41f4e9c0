"""Every family under the estimator: all its taps give maps, and the network comes back as it was."""

import pytest
import torch

from kdprobe.estimator import EntropyEstimator, Jacobian, parameters_below
from kdprobe.networks import build_network
from kdprobe.records import Outcome

FAMILIES = [
    ("vgg_small", 16, {}),
    ("alexnet", 63, {"fc": 8}),
    ("vgg11", 32, {"fc": 8}),
    ("resnet18", 32, {"fc": 8}),
    ("resnet20", 16, {}),
    ("plain20", 16, {}),
    ("wrn_16_2", 16, {}),
]


@pytest.mark.slow  # every network at 224 pixels
@pytest.mark.parametrize(("name", "size", "options"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_all_taps_of_a_network_can_be_measured(name, size, options):
    model = build_network(name, num_classes=16, image_shape=(3, size, size), seed=0, **options)
    images = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.train()(images)  # BatchNorm statistics that suit the images
    before = {key: value.clone() for key, value in model.state_dict().items()}
    below = set()
    for tap in model.taps:
        result = EntropyEstimator(model, tap, solver=Jacobian(probes=4), grid=4, seed=0).estimate(images[:1])
        assert result.entropy.shape == (1, 4, 4)
        assert result.outcome[0] in (Outcome.OK, Outcome.TARGET_NOT_REACHED), tap
        assert result.entropy.isfinite().all() and (result.entropy.flatten(1).std(1) > 0).all()
        below |= set(parameters_below(model, tap, images[:1]))
    assert model.training and all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert below == {key for key, _ in model.named_parameters()}

"""What an estimate promises: shapes, outcomes, the same bytes, an untouched model."""

import copy
import math

import pytest
import torch
from torch import nn

from kdprobe import EntropyEstimator, Outcome
from kdprobe.errors import ConfigError, InputError, KdprobeError, LayerError


def make_net(seed=0, in_place=True):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=in_place),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(8 * 64, 24),
        nn.ReLU(inplace=in_place),
        nn.Linear(24, 4),
    )


@pytest.fixture
def images():
    return torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_shapes_units_and_record(images):
    result = EntropyEstimator(make_net(), "6", grid=8).estimate(images)
    assert result.entropy.shape == result.std_error.shape == (3, 8, 8)
    assert result.entropy.dtype == torch.float64
    assert result.outcome == (Outcome.OK,) * 3
    # cheng2020 reports the iterate whose mean entropy is nearest -2.8 nats; sigma moves less than 4 % a step.
    assert ((result.entropy.mean((1, 2)) + 2.8).abs() < 0.02).all()
    assert (result.std_error > 0).all()
    assert result.stats["protocol"]["entropy_weight"] == 7.0
    assert result.stats["solver"]["name"] == "decomposed"
    assert "Entropy maps of 3 images, 8 × 8 cells, nats" in result._repr_html_()


@pytest.mark.parametrize(
    "solver", ["decomposed", "pathwise", "jacobian", pytest.param("sgd", marks=pytest.mark.slow)]
)
def test_same_seed_same_bytes_whatever_the_order_or_the_neighbours(images, solver):
    net = make_net()
    estimator = EntropyEstimator(net, "6", grid=4, internal_batch_size=32, solver=solver)
    first = estimator.estimate(images)
    again = estimator.estimate(images.flip(0))
    # `decomposed` puts two images of 16 rows into one pass; rows of a batch do not meet.
    assert torch.equal(first.entropy, estimator.estimate(images).entropy)
    assert (first.entropy - again.entropy.flip(0)).abs().max() < 1e-4
    alone = estimator.estimate(images[1:2])
    assert (first.entropy[1] - alone.entropy[0]).abs().max() < 1e-4
    other = EntropyEstimator(net, "6", grid=4, internal_batch_size=32, seed=1, solver=solver).estimate(images)
    if solver != "jacobian":  # all units have a probe: nothing is random
        assert (first.entropy - other.entropy).abs().max() > 1e-5


@pytest.mark.parametrize("solver", ["decomposed", pytest.param("sgd", marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [1, 7, 1024])
def test_batch_size_does_not_matter(images, solver, size):
    net = make_net().double()
    images = images[:2].double()
    small = EntropyEstimator(net, "6", grid=4, internal_batch_size=size, solver=solver).estimate(images)
    large = EntropyEstimator(net, "6", grid=4, internal_batch_size=64, solver=solver).estimate(images)
    assert (small.entropy - large.entropy).abs().max() < 1e-4


@pytest.mark.parametrize("size", [1, 5])
def test_no_pass_is_larger_than_asked(images, size):
    net, rows = make_net(), []
    net[0].register_forward_pre_hook(lambda _m, inputs: rows.append(len(inputs[0])))
    EntropyEstimator(net, "6", grid=4, internal_batch_size=size).estimate(images[:2])
    assert max(rows) <= size


def test_feature_rescaling_changes_nothing(images):
    net = make_net()
    scaled = copy.deepcopy(net)
    scaled[6].weight.data *= 8.0  # a power of two: exact in floating point
    scaled[6].bias.data *= 8.0
    a = EntropyEstimator(net, "6", grid=4).estimate(images).entropy
    b = EntropyEstimator(scaled, "6", grid=4).estimate(images).entropy
    assert (a - b).abs().max() < 1e-6


def test_the_model_comes_back_as_it_was(images):
    net = make_net().train()
    net[6].weight.requires_grad_(False)
    net[8].weight.grad = torch.ones_like(net[8].weight)
    state = copy.deepcopy(net.state_dict())
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    EntropyEstimator(net, "6", grid=4).estimate(images)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert all(module.training for module in net.modules())
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["6.weight"]
    assert [n for n, p in net.named_parameters() if p.grad is not None] == ["8.weight"]
    assert not any(module._forward_hooks for module in net.modules())


def test_in_place_relu_after_the_tap_makes_no_difference(images):
    a = EntropyEstimator(make_net(in_place=True), "6", grid=4).estimate(images).entropy
    b = EntropyEstimator(make_net(in_place=False), "6", grid=4).estimate(images).entropy
    assert torch.equal(a, b)


def test_cells_that_the_network_does_not_see_keep_no_information(images):
    """f reads the left half only: H is lower there, and equal to the flat start's growth on the right."""

    class LeftHalf(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = make_net()

        def forward(self, x):
            return self.net(torch.cat([x[..., :8], torch.zeros_like(x[..., 8:])], dim=-1))

    entropy = EntropyEstimator(LeftHalf(), "net.6", grid=4).estimate(images).entropy
    assert (entropy[:, :, :2].amax((1, 2)) < entropy[:, :, 2:].amin((1, 2))).all()
    assert (entropy[:, :, 2:].std((1, 2)) < 1e-9).all()


def test_outcomes_of_images_that_cannot_be_measured(images):
    net = make_net()
    net[6].bias.data.fill_(-1e3)  # every unit dead after the ReLU
    dead = EntropyEstimator(net, "6", grid=4).estimate(images)
    assert dead.outcome == (Outcome.DEGENERATE_FEATURE,) * 3
    assert dead.entropy.isnan().all()

    broken = images.clone()
    broken[1, 0, 0, 0] = math.nan
    result = EntropyEstimator(make_net(), "6", grid=4).estimate(broken)
    assert result.outcome == (Outcome.OK, Outcome.NON_FINITE_INPUT, Outcome.OK)
    assert result.entropy[1].isnan().all()
    assert result.entropy[[0, 2]].isfinite().all()

    net = make_net()
    net[6].weight.data[0] = math.inf
    assert EntropyEstimator(net, "6", grid=4).estimate(images).outcome == (Outcome.NON_FINITE_ACTIVATION,) * 3
    assert all(outcome.advice for outcome in Outcome)


def test_energies_that_overflow_are_an_outcome_not_a_flat_map(images):
    """Weights that float32 can hold and products that it cannot; tiny ones are merely rescaled."""
    net = make_net()
    reference = EntropyEstimator(net, "6", grid=4).estimate(images).entropy
    net[6].weight.data *= 2.0**-70
    net[6].bias.data *= 2.0**-70
    tiny = EntropyEstimator(net, "6", grid=4).estimate(images)
    net[6].weight.data *= 2.0**180
    net[6].bias.data *= 2.0**180
    huge = EntropyEstimator(net, "6", grid=4).estimate(images)
    for result in (tiny, huge):
        for image, outcome in enumerate(result.outcome):
            if outcome.usable:
                assert (result.entropy[image] - reference[image]).abs().max() < 1e-3
            else:
                assert result.entropy[image].isnan().all()


def test_bad_input_gets_one_clear_sentence(images):
    net = make_net()
    with pytest.raises(LayerError, match="nearest names"):
        EntropyEstimator(net, "fc1")
    with pytest.raises(ConfigError, match="Unknown solver"):
        EntropyEstimator(net, "6", solver="fast")
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        EntropyEstimator(net, "6").estimate(images[0])
    with pytest.raises(InputError, match="does not fit"):
        EntropyEstimator(net, "6", grid=17).estimate(images)
    with pytest.raises(KdprobeError, match="at least 1"):
        EntropyEstimator(net, "6", grid=0)
    with pytest.raises(KdprobeError, match="needs pairs >= 2"):
        from kdprobe.estimator import Decomposed

        Decomposed(pairs=1)


def test_a_good_image_beside_unusable_ones_and_none_at_all(images):
    """Maps, errors and noise of unusable images are NaN, never numbers; the others are as if alone."""
    net, broken = make_net(), images.clone()
    broken[0, 0, 0, 0], broken[2, 1, 3, 3] = math.nan, math.inf
    result = EntropyEstimator(net, "6", grid=4).estimate(broken)
    assert result.outcome == (Outcome.NON_FINITE_INPUT, Outcome.OK, Outcome.NON_FINITE_INPUT)
    alone = EntropyEstimator(net, "6", grid=4).estimate(images[1:2])
    for name in ("entropy", "std_error", "noise"):
        values = getattr(result, name)
        assert values[[0, 2]].isnan().all()
        assert (values[1] - getattr(alone, name)[0]).abs().max() < 1e-4
    assert [math.isnan(value) for value in result.stats["clamped"]] == [True, False, True]
    none = EntropyEstimator(net, "6", grid=4).estimate(torch.full_like(images, math.nan))
    assert none.outcome == (Outcome.NON_FINITE_INPUT,) * 3
    assert none.entropy.isnan().all() and none.std_error.isnan().all() and none.noise.isnan().all()
    assert none.noise.shape[2:] == (4, 4)
    dead = make_net()
    dead[6].bias.data.fill_(-1e3)
    for solver in ("decomposed", "pathwise", "jacobian", "sgd"):
        result = EntropyEstimator(dead, "6", grid=4, solver=solver).estimate(images[:1])
        assert result.outcome == (Outcome.DEGENERATE_FEATURE,)
        assert result.std_error.isnan().all() and result.noise.isnan().all()

"""`PixelEntropy` keeps Captum's conventions: values, shapes, flags, and what Captum's own tools make of it."""

import dataclasses
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from captum.attr import Attribution, NoiseTunnel
from captum.attr import visualization as viz
from captum.metrics import infidelity, sensitivity_max
from oracles.entropy import cell_of, linear_energies, recursion
from torch import nn

from kdprobe import EntropyEstimator, PixelEntropy
from kdprobe.errors import ConfigError, InputError, LayerError
from kdprobe.estimator import PROTOCOLS
from kdprobe.estimator.pixel_entropy import UnusableImageWarning

LINEAR = dataclasses.replace(PROTOCOLS["cheng2020"], name="linear", feature_activation="none")


def make_net(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 64, 10),
        nn.ReLU(),
        nn.Linear(10, 5),
    )
    net.taps = {"hidden": "3"}
    return net


@pytest.fixture
def images():
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def method():
    return PixelEntropy(make_net(), "hidden", grid=4)


def relative(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 7, 10)])
def test_linear_f_gives_the_closed_form_of_every_pixel_in_every_channel(shape):
    generator = torch.Generator().manual_seed(0)
    size = shape[0] * shape[1] * shape[2]
    net = nn.Sequential(nn.Flatten(), nn.Linear(size, 5)).double()
    gains = torch.randn(size, generator=generator, dtype=torch.float64).exp()
    net[1].weight.data = torch.randn(5, size, generator=generator, dtype=torch.float64) * gains
    batch = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    found = PixelEntropy(net, "1", protocol=LINEAR, grid=4).attribute(batch)
    stats = EntropyEstimator(net, "1", protocol=LINEAR, grid=4).estimate(batch).stats
    energy = linear_energies(net[1].weight.detach(), shape, 4)
    for image, scale in enumerate(stats["feature_scale"]):
        entropy = recursion(lambda _s: energy, scale, 4)
        mean = sum(map(sum, entropy)) / 16
        for c in range(shape[0]):
            for y in range(shape[1]):
                for x in range(shape[2]):
                    expected = mean - entropy[cell_of(y, shape[1], 4)][cell_of(x, shape[2], 4)]
                    assert found[image, c, y, x] == pytest.approx(expected, abs=1e-6)


def test_it_is_the_estimators_contrast_with_mean_zero(method, images):
    found = method.attribute(images)
    entropy = EntropyEstimator(method.forward_func, "hidden", grid=4).estimate(images).entropy
    cells = found[:, :, ::2, ::2].double()
    assert (cells - (entropy.mean((1, 2), keepdim=True) - entropy)[:, None]).abs().max() < 1e-6
    assert cells[:, 0].mean((1, 2)).abs().max() < 1e-6
    assert found.std() > 0.01


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_shape_and_type_are_the_inputs(method, images, dtype):
    found = method.attribute(images.to(dtype))
    assert found.shape == images.shape and found.dtype == dtype and found.device == images.device
    assert found.is_contiguous()
    assert all(torch.equal(found[:, 0], found[:, c]) for c in (1, 2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_on_the_gpu_and_inputs_on_the_cpu(images):
    net = make_net().cuda()
    found = PixelEntropy(net, "hidden", grid=4).attribute(images)
    assert found.device.type == "cpu"
    on_gpu = PixelEntropy(net, "hidden", grid=4).attribute(images.cuda())
    assert on_gpu.device.type == "cuda" and relative(on_gpu.cpu(), found) < 1e-3


def test_inputs_model_and_modes_are_left_alone(method, images):
    images.requires_grad_(True)
    before = images.detach().clone()
    method.forward_func.train()
    with torch.no_grad():
        found = method.attribute(images)
    assert images.requires_grad and images.grad is None and torch.equal(images.detach(), before)
    assert not found.requires_grad
    assert method.forward_func.training and all(p.requires_grad for p in method.forward_func.parameters())
    assert torch.equal(found, method.attribute(images))  # without no_grad, the same


def test_a_tuple_of_one_in_a_tuple_of_one_out(method, images):
    found = method.attribute((images,))
    assert isinstance(found, tuple) and len(found) == 1
    assert torch.equal(found[0], method.attribute(images))


def test_seed_and_batch_size(method, images):
    method.forward_func.double()
    images = images.double()
    first = method.attribute(images, internal_batch_size=16, seed=3)
    assert torch.equal(first, method.attribute(images, internal_batch_size=16, seed=3))
    assert (first - method.attribute(images, internal_batch_size=16, seed=4)).abs().max() > 1e-3
    assert (first - method.attribute(images, internal_batch_size=5, seed=3)).abs().max() < 1e-4
    rows = []
    method.forward_func[0].register_forward_pre_hook(lambda _m, inputs: rows.append(len(inputs[0])))
    method.attribute(images, internal_batch_size=5)
    assert max(rows) <= 5


def test_the_bar_is_shown_on_demand_only(method, images, monkeypatch):
    shown = []
    estimate = EntropyEstimator.estimate

    def watched(self, images, show_progress=False):
        shown.append(show_progress)
        return estimate(self, images, show_progress)

    monkeypatch.setattr(EntropyEstimator, "estimate", watched)
    method.attribute(images)
    method.attribute(images, show_progress=True)
    assert shown == [False, True]


def test_the_layer_as_module_path_or_tap(images):
    net = make_net()
    found = [PixelEntropy(net, layer, grid=4) for layer in (net[3], "3", "hidden")]
    assert [m.layer for m in found] == ["3", "3", "3"]
    nested = nn.Sequential(nn.Identity(), net)
    assert PixelEntropy(nested, net[3]).layer == "1.3"
    values = [m.attribute(images) for m in found]
    assert torch.equal(values[0], values[1]) and torch.equal(values[0], values[2])
    assert (PixelEntropy(net, net[5], grid=4).attribute(images) - values[0]).abs().max() > 1e-3


def test_options_reach_the_estimator(images):
    net = make_net()
    for options in ({"solver": "sgd"}, {"protocol": "cheng2020_resnet"}, {"grid": 8}):
        found = PixelEntropy(net, "3", **{"grid": 4, **options}).attribute(images)
        entropy = EntropyEstimator(net, "3", **{"grid": 4, **options}).estimate(images).entropy
        side = 8 // options.get("grid", 4)
        contrast = entropy.mean((1, 2), keepdim=True) - entropy
        assert (found[:, 0, ::side, ::side] - contrast).abs().max() < 1e-6


def test_what_cannot_be_used_is_named(images):
    net = make_net()
    with pytest.raises(LayerError, match="no part of Sequential"):
        PixelEntropy(net, nn.ReLU())
    with pytest.raises(LayerError, match="is the model itself"):
        PixelEntropy(net, net)
    with pytest.raises(LayerError, match="nearest names"):
        PixelEntropy(net, "hiden")
    with pytest.raises(InputError, match="got function"):
        PixelEntropy(lambda x: x, "3")
    with pytest.raises(ConfigError, match="Unknown solver"):
        PixelEntropy(net, "3", solver="fast")
    method = PixelEntropy(net, "3", grid=4)
    with pytest.raises(InputError, match="got 2: Tensor, Tensor"):
        method.attribute((images, images))
    with pytest.raises(InputError, match="got 1: list"):
        method.attribute([images])
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        method.attribute(images[0])


def test_an_image_that_cannot_be_measured_is_zero_and_named(method, images):
    good = method.attribute(images)
    images[1, 0, 2, 2] = torch.nan
    with pytest.warns(
        UnusableImageWarning, match=r"1 of 3 images \(number 1\).*non-finite input.*mend"
    ) as caught:
        found = method.attribute(images)
    assert caught[0].filename == __file__
    assert (found[1] == 0).all() and found.isfinite().all()
    assert (found[[0, 2]] - good[[0, 2]]).abs().max() < 1e-4
    with warnings.catch_warnings(), pytest.raises(UnusableImageWarning):
        warnings.simplefilter("error", UnusableImageWarning)
        method.attribute(images)


def test_nothing_is_warned_of_where_all_went_well(method, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        method.attribute(images)


class Gated(nn.Module):
    """Looks at the left half only, or at the right one: as the second argument says, image by image."""

    def __init__(self):
        super().__init__()
        self.net = make_net()

    def forward(self, images, right, gain=1.0):
        right = torch.as_tensor(right).expand(len(images))[:, None, None, None]
        left_half = (torch.arange(8) < 4).expand(images.shape)
        return self.net(gain * images * torch.where(right, ~left_half, left_half))


def test_additional_arguments_of_the_model_one_per_image_or_constant(images):
    method = PixelEntropy(Gated(), "net.3", grid=4)
    right = torch.tensor([True, False, True])
    found = method.attribute(images, additional_forward_args=(right, 1.0))
    for image, side in enumerate(right.tolist()):
        seen = found[image, ..., 4:] if side else found[image, ..., :4]
        unseen = found[image, ..., :4] if side else found[image, ..., 4:]
        assert seen.min() > unseen.max()
    alone = method.attribute(images[:1], additional_forward_args=True)
    assert (alone - found[:1]).abs().max() < 1e-4
    constant = method.attribute(images[:1], additional_forward_args=torch.tensor(True))
    assert torch.equal(alone, constant)
    with pytest.raises(InputError, match=r"each of the 3 images in their first dimension; got \[\(2,\)\]"):
        method.attribute(images, additional_forward_args=right[:2])
    tunnel = NoiseTunnel(method).attribute(
        images, nt_samples=2, stdevs=0.01, additional_forward_args=right, target=torch.tensor([0, 1, 2])
    )
    assert tunnel[0, ..., 4:].min() > tunnel[0, ..., :4].max()
    assert tunnel[1, ..., :4].min() > tunnel[1, ..., 4:].max()


def test_declared_as_captum_reads_it(method):
    assert isinstance(method, Attribution)
    assert not method.has_convergence_delta()
    assert not method.multiplies_by_inputs
    assert not NoiseTunnel(method).is_gradient_method
    assert method.attribute.__wrapped__.__name__ == "attribute"


def test_the_target_makes_no_difference(method, images):
    assert torch.equal(method.attribute(images, target=torch.tensor([0, 1, 2])), method.attribute(images))


def test_infidelity_of_a_known_perturbation(method, images):
    """Captum's number is the mean of (I·Phi - (f(x) - f(x - I)))², here by hand."""
    net, target = method.forward_func, torch.tensor([0, 1, 2])
    attributions = method.attribute(images)
    shift = 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(2))

    def perturb(inputs):
        repeated = shift.repeat_interleave(len(inputs) // 3, dim=0)
        return repeated, inputs - repeated

    found = infidelity(net, perturb, images, attributions, target=target, n_perturb_samples=4)
    with torch.no_grad():
        change = (net(images) - net(images - shift)).gather(1, target[:, None])[:, 0]
    expected = ((attributions * shift).flatten(1).sum(1) - change) ** 2
    assert torch.allclose(found, expected, rtol=1e-4)
    assert (found > 0).all()


def test_sensitivity_is_zero_without_perturbation_and_shows_noise_and_input_apart(method, images):
    """The same bytes meet the same noise; other bytes other noise, whose size the docstring says how to see."""
    target = torch.tensor([0, 1, 2])

    def sensitivity(radius):
        torch.manual_seed(0)
        return sensitivity_max(
            method.attribute, images, perturb_radius=radius, n_perturb_samples=3, target=target, seed=1
        )

    nothing, noise, much = sensitivity(0.0), sensitivity(1e-6), sensitivity(1.0)
    assert nothing.shape == (3,) and nothing.max() < 1e-4
    assert (noise > 100 * nothing).all()
    assert (much > noise).all()


def test_noise_tunnel_is_the_mean_over_noisy_inputs(method, images):
    torch.manual_seed(5)
    found = NoiseTunnel(method).attribute(images, nt_samples=4, nt_samples_batch_size=2, stdevs=0.05, seed=2)
    torch.manual_seed(5)
    repeats = images.repeat_interleave(2, dim=0)
    noisy = [repeats + torch.normal(0, torch.full(repeats.shape, 0.05)) for _ in range(2)]
    by_hand = torch.stack([method.attribute(n, seed=2).unflatten(0, (3, 2)).mean(1) for n in noisy]).mean(0)
    assert (found - by_hand).abs().max() < 1e-4
    assert found.shape == images.shape
    variance = NoiseTunnel(method).attribute((images,), nt_type="vargrad", nt_samples=3, stdevs=0.05)
    assert isinstance(variance, tuple) and variance[0].mean() > 0 and variance[0].isfinite().all()


def test_the_picture_shows_the_map(method, images):
    attribution = method.attribute(images)[0].permute(1, 2, 0).numpy()
    image = images[0].sigmoid().permute(1, 2, 0).numpy()
    figure, _axis = viz.visualize_image_attr(
        attribution, image, method="heat_map", sign="all", show_colorbar=True, use_pyplot=False
    )
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown.shape == (8, 8)
    plain = attribution.sum(2)
    inside = np.abs(shown) < 1  # Captum cuts off the largest values
    assert np.corrcoef(shown[inside], plain[inside])[0, 1] > 0.999


def test_captum_is_imported_on_first_use_only():
    code = (
        "import sys, kdprobe, kdprobe.estimator; kdprobe.EntropyEstimator; early = 'captum' in sys.modules; "
        "kdprobe.PixelEntropy; sys.exit(early or 'captum' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

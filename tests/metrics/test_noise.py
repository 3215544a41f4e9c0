import math

import pytest
import torch
from oracles import metrics as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import METRICS, image_values, noise_ceiling, noise_redraws, redraw


def scene(seed=0, epochs=4, images=6, grid=4):
    generator = torch.Generator().manual_seed(seed)
    entropy = -2.8 + 0.25 * torch.randn(epochs, images, grid, grid, generator=generator, dtype=torch.float64)
    foreground = torch.zeros(images, grid, grid, dtype=torch.bool)
    foreground[:, 1:3, 1:3] = True
    path = torch.cat([torch.zeros(1), torch.rand(epochs, generator=generator).cumsum(0)]).double()
    return entropy, foreground, path


@pytest.mark.parametrize("scope", ["dataset", "image"])
def test_image_values_against_loops(scope):
    entropy, foreground, path = scene()
    entropy[:, 3] = 0.0  # no contrast and high entropy: no concepts in this image
    values = image_values(entropy, foreground, path, margin=0.2, scope=scope)
    expected = oracle.per_image_metrics(entropy.tolist(), foreground.tolist(), path.tolist(), 0.2, scope)
    for name in METRICS:
        loops = expected["distance" if name.startswith("learning_distance") else name]
        assert values[name].dtype == torch.float64
        assert values[name].tolist() == pytest.approx(loops, nan_ok=True, abs=1e-14), name
    assert math.isnan(values["stability"][3]) and math.isnan(values["learning_distance_std"][3])
    zero = image_values(entropy, foreground, path, scope="image", empty="zero")
    assert float(zero["stability"][3]) == float(zero["relevance_ratio"][3]) == 0


def test_redraws_have_the_size_of_the_standard_errors():
    entropy = torch.full((2, 3, 2, 2), -2.8, dtype=torch.float64)
    std_error = torch.linspace(0, 0.2, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    copies = torch.stack(list(redraw(entropy, std_error, redraws=4000, seed=0)))
    assert copies.shape == (4000, 2, 3, 2, 2) and copies.dtype == torch.float64
    assert torch.equal(copies[:, 0, 0, 0, 0], entropy[0, 0, 0, 0].expand(4000))
    assert torch.allclose(copies.mean(0), entropy, atol=5 * 0.2 / 4000**0.5)
    assert torch.allclose(copies.std(0), std_error, rtol=0.06)
    noise = (copies - entropy).flatten(1)[:, 1:]
    correlation = torch.corrcoef(noise.T) - torch.eye(23, dtype=torch.float64)
    assert float(correlation.abs().max()) < 0.08


def deviations(shape, sources=3, seed=0, size=0.1):
    """(..., N, R, g, g) for maps of `shape` (..., N, g, g)."""
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(*shape[:-2], sources, *shape[-2:], generator=generator)


def test_redraws_have_the_covariance_of_the_noise():
    """Sum over r of the products of deviations, between cells and between epochs; images are independent."""
    entropy = torch.full((2, 2, 2, 2), -2.8, dtype=torch.float64)
    noise = deviations(entropy.shape)
    copies = torch.stack(list(redraw(entropy, noise=noise, redraws=20_000, seed=0)))
    assert copies.dtype == torch.float64
    drawn = (copies - entropy).transpose(1, 2).flatten(2)  # (copies, image, epoch and cell)
    factor = noise.double().permute(1, 2, 0, 3, 4).flatten(2)  # (image, r, epoch and cell)
    for image in range(2):
        found = drawn[:, image].T @ drawn[:, image] / 20_000
        assert torch.allclose(found, factor[image].T @ factor[image], atol=0.002)
    between = drawn[:, 0].T @ drawn[:, 1] / 20_000
    assert float(between.abs().max()) < 0.002
    assert float((factor[0].T @ factor[0]).abs().max()) > 0.01


def test_networks_redrawn_with_one_seed_share_their_noise():
    """The same index, image and r: the same xi, whatever the maps, the epochs, R and the number of redraws."""
    student, baseline = scene(0)[0], scene(1, epochs=2)[0]
    noise = deviations(student.shape)
    drawn = [copy - student for copy in redraw(student, noise=noise, redraws=3, seed=7)]
    longer = torch.cat([noise[:2], torch.zeros_like(noise[:2])], dim=2)
    for index, copy in enumerate(redraw(baseline, noise=longer, redraws=5, seed=7)):
        if index < 3:
            assert torch.allclose(copy - baseline, drawn[index][:2], atol=1e-12)
    first = noise.clone()
    first[:, :, 1:] = 0
    fewer = next(redraw(student, noise=noise[:, :, :1], redraws=1, seed=7))
    assert torch.equal(next(redraw(student, noise=first, redraws=1, seed=7)), fewer)
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(next(redraw(student, noise=noise, redraws=1, seed=8)) - student, drawn[0])


def test_noise_decides_where_both_are_given():
    entropy, _, _ = scene()
    noise = deviations(entropy.shape)
    both, one = (next(redraw(entropy, e, noise=noise, redraws=1, seed=0)) for e in (9.0, None))
    assert torch.equal(both, one)


def test_redraws_come_one_at_a_time_and_by_seed():
    entropy, _, _ = scene()
    few, many = (list(redraw(entropy, 0.02, redraws=n, seed=5)) for n in (2, 4))
    assert len(many) == 4 and all(torch.equal(a, b) for a, b in zip(few, many, strict=False))
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(many[0], next(redraw(entropy, 0.02, redraws=1, seed=6)))
    stream = redraw(entropy, 0.02, redraws=10**9, seed=0)  # never all at once
    state = torch.random.get_rng_state()
    next(stream)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    "entropy, std_error, words",
    [
        (torch.zeros(2, 2, 2), -0.1, "std_error must be finite"),
        (torch.zeros(2, 2, 2), float("nan"), "std_error must be finite"),
        (torch.zeros(2, 2, 2), torch.zeros(3, 2, 2), r"shape \(2, 2, 2\); got \(3, 2, 2\)"),
        (torch.full((2, 2, 2), float("nan")), 0.1, "NaN or infinite"),
    ],
)
def test_bad_noise_is_refused_at_once(entropy, std_error, words):
    with pytest.raises(InputError, match=words):
        redraw(entropy, std_error, redraws=1, seed=0)
    with pytest.raises(InputError, match="redraws must be"):
        redraw(torch.zeros(2, 2, 2), 0.1, redraws=0, seed=0)


@pytest.mark.parametrize(
    "noise, words",
    [
        (torch.zeros(4, 6, 4, 4), r"noise must have the shape \(4, 6, R, 4, 4\).*got \(4, 6, 4, 4\)"),
        (torch.zeros(6, 3, 4, 4), r"noise must have the shape \(4, 6, R, 4, 4\)"),
        (torch.zeros(4, 5, 3, 4, 4), r"got \(4, 5, 3, 4, 4\)"),
        (torch.full((4, 6, 3, 4, 4), float("nan")), "noise must be finite"),
        (None, "needs the noise of the maps, or at least their std_error"),
    ],
)
def test_noise_that_does_not_fit_is_refused_at_once(noise, words):
    with pytest.raises(InputError, match=words) as caught:
        redraw(scene()[0], noise=noise, redraws=1, seed=0)
    assert "\n" not in str(caught.value)


def test_noise_redraws_are_the_metrics_of_the_redraws_with_shared_noise():
    entropy, foreground, path = scene()
    noise = deviations(entropy.shape)
    found = noise_redraws(entropy, None, foreground, path, noise=noise, redraws=3, seed=2)
    for r, copy in enumerate(redraw(entropy, noise=noise, redraws=3, seed=2)):
        for name, values in image_values(copy, foreground, path).items():
            assert torch.equal(found[name][r].nan_to_num(-1), values.nan_to_num(-1)), name


def test_noise_redraws_are_the_metrics_of_the_redraws():
    entropy, foreground, path = scene()
    std_error = torch.full_like(entropy, 0.1)
    noise = noise_redraws(entropy, std_error, foreground, path, margin=0.25, scope="image", redraws=3, seed=2)
    assert list(noise) == list(METRICS)
    for r, copy in enumerate(redraw(entropy, std_error, redraws=3, seed=2)):
        expected = oracle.per_image_metrics(copy.tolist(), foreground.tolist(), path.tolist(), 0.25, "image")
        for name, values in noise.items():
            loops = expected["distance" if name.startswith("learning_distance") else name]
            assert values.shape == (3, 6) and values[r].tolist() == pytest.approx(loops, nan_ok=True), name


@pytest.mark.parametrize(
    ("rules", "other", "moved"),
    [
        ({"empty": "zero"}, {}, "relevance_ratio"),
        ({"scope": "image"}, {}, "n_foreground"),
        ({"margin": 0.4}, {}, "n_background"),
        ({"path_lag": 1}, {}, "learning_distance_mean"),
        ({"initial": True}, {"initial": "rho"}, "learning_distance_mean"),
        ({"initial": "rho", "path_lag": 1}, {"initial": "rho"}, "learning_distance_mean"),
    ],
)
def test_noise_redraws_without_noise_are_the_values_by_the_same_rules(rules, other, moved):
    entropy, foreground, path = scene()
    entropy[:, 0] = 0  # no concept
    path = path[:-1] if "initial" in rules else path
    values = image_values(entropy, foreground, path, **rules)
    for name, noise in noise_redraws(entropy, 0.0, foreground, path, redraws=2, seed=0, **rules).items():
        assert torch.equal(noise.nan_to_num(-1), values[name].expand(2, -1).nan_to_num(-1)), name
    otherwise = image_values(entropy, foreground, path, **other)[moved]
    assert not torch.equal(otherwise.nan_to_num(-1), values[moved].nan_to_num(-1))


def test_noise_ceiling_of_one_cell_at_the_threshold_is_known():
    """One foreground cell exactly at H-bar - margin is a concept at each epoch with probability 1/2.

    rho is defined if any of M epochs shows it (probability 1 - 2^-M), 1 if the last does: 1/2 / (1 - 2^-M).
    """
    images, epochs = 400, 3
    entropy = torch.zeros(images, 2, 2, dtype=torch.float64)
    entropy[:, 0, 0] = -0.25
    std_error = torch.zeros_like(entropy)
    std_error[:, 0, 0] = 0.01
    foreground = entropy < 0
    settings = {"epochs": epochs, "margin": 0.25, "redraws": 50, "seed": 0}
    expected = 0.5 / (1 - 0.5**epochs)
    assert noise_ceiling(entropy, std_error, foreground, **settings) == pytest.approx(expected, abs=0.02)
    zero = noise_ceiling(entropy, std_error, foreground, **settings, empty="zero")
    assert zero == pytest.approx(0.5, abs=0.02)


def test_noise_ceiling_is_1_where_all_epochs_err_alike():
    """The concepts of a redraw are then the same at every epoch; half of the shared variance brings it halfway."""
    images, epochs = 400, 3
    entropy = torch.zeros(images, 2, 2, dtype=torch.float64)
    entropy[:, 0, 0] = -0.25
    foreground = entropy < 0
    at = {"epochs": epochs, "margin": 0.25, "redraws": 50, "seed": 0}
    alike = torch.zeros(epochs, images, epochs + 1, 2, 2)
    alike[:, :, 0, 0, 0] = 0.01
    assert noise_ceiling(entropy, None, foreground, noise=alike, **at) == 1
    apart = torch.zeros_like(alike)
    for epoch in range(epochs):
        apart[epoch, :, 1 + epoch, 0, 0] = 0.01
    lowest = 0.5 / (1 - 0.5**epochs)
    assert noise_ceiling(entropy, None, foreground, noise=apart, **at) == pytest.approx(lowest, abs=0.02)
    # Correlation 1/2 of three normal values: all three negative with probability 1/8 + 3 asin(1/2) / (4 pi) = 1/4.
    half = (alike + apart) / 2**0.5
    assert noise_ceiling(entropy, None, foreground, noise=half, **at) == pytest.approx(0.5 / 0.75, abs=0.02)
    zero = noise_ceiling(entropy, None, foreground, noise=alike, empty="zero", **at)
    assert zero == pytest.approx(0.5, abs=0.02)


def test_noise_ceiling_takes_each_epochs_own_noise():
    entropy, foreground, _ = scene()
    errors = torch.zeros(3, 6, 4, 4)
    still = noise_ceiling(entropy[-1], errors, foreground, epochs=3, seed=0)
    errors[1] = 0.5
    assert noise_ceiling(entropy[-1], errors, foreground, epochs=3, seed=0) < still == 1
    with pytest.raises(InputError, match=r"shape \(3, 6, R, 4, 4\)"):
        noise_ceiling(entropy[-1], None, foreground, noise=deviations((2, 6, 4, 4)), epochs=3, seed=0)


def test_noise_ceiling_falls_with_noise_and_with_epochs():
    entropy, foreground, _ = scene(images=40)
    ceiling = [
        noise_ceiling(entropy[-1], error, foreground, epochs=epochs, seed=0)
        for error, epochs in [(0.0, 6), (0.02, 1), (0.02, 6), (0.02, 15), (0.1, 15)]
    ]
    assert ceiling[0] == ceiling[1] == 1 and 1 > ceiling[2] > ceiling[3] > ceiling[4] > 0


def test_noise_ceiling_without_concepts_is_nan_and_wants_one_epoch():
    entropy, foreground, _ = scene()
    assert math.isnan(noise_ceiling(entropy[0] * 0, 0.0, foreground, epochs=2, seed=0))
    with pytest.raises(InputError, match="one epoch's maps"):
        noise_ceiling(entropy, 0.0, foreground, epochs=2, seed=0)
    with pytest.raises(InputError, match="epochs must be"):
        noise_ceiling(entropy[0], 0.0, foreground, epochs=0, seed=0)

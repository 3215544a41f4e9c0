"""How sure one image's counts are, given the estimator's noise: against exact odds and against simulated truth."""

import pytest
import torch

from kdprobe.errors import InputError
from kdprobe.metrics import concept_cells, count_concepts, count_interval

GRID = 16


def scene(images, seed, spread=0.25, foreground_cells=94):
    """True maps whose contrast is normal, and a foreground of the first rows."""
    generator = torch.Generator().manual_seed(seed)
    entropy = -2.8 - spread * torch.randn(images, GRID, GRID, generator=generator, dtype=torch.float64)
    foreground = (torch.arange(GRID * GRID) < foreground_cells).reshape(1, GRID, GRID).expand(images, -1, -1)
    return entropy, foreground


def correlated(entropy, size=0.02):
    """17 deviations: half of the variance stretches the contrast or lies in broad bands, half is each cell's own."""
    generator = torch.Generator().manual_seed(0)
    contrast = entropy - entropy.mean((1, 2), keepdim=True)
    stretch = contrast / contrast.square().mean((1, 2), keepdim=True).sqrt()
    waves = torch.cos(torch.arange(1, 5)[:, None] * torch.pi * torch.linspace(0, 1, GRID)) * 2**0.5
    bands = waves[:, :, None].expand(-1, -1, GRID).expand(len(entropy), -1, -1, -1) / 2
    own = torch.randn(len(entropy), 12, GRID, GRID, generator=generator, dtype=torch.float64)
    own = own / own.square().sum(1, keepdim=True).sqrt()
    return size * torch.cat([0.6 * stretch[:, None], 0.38 * bands, 0.7 * own], 1)


def test_the_odds_of_few_cells_are_known():
    """Three foreground cells half a standard error beyond the margin: N is binomial with P(z > -1/2) = 0.6915."""
    entropy = torch.zeros(1, 4, 4, dtype=torch.float64)
    entropy[0, 0, :3] = -0.2 - 0.005
    entropy[0, 1, 0] = -0.2 + 0.05  # ten standard errors away
    entropy[0, 2, 0] = -1.0  # on the background: lowers H-bar
    foreground = torch.zeros(1, 4, 4, dtype=torch.bool)
    foreground[0, :2] = True
    entropy[0, :2] -= 1 / 8
    std_error = torch.zeros_like(entropy)
    std_error[:, :2] = 0.01
    settings = {"margin": 0.2, "redraws": 3000, "seed": 0}
    p = 0.6915
    odds = [(1 - p) ** 3, 3 * p * (1 - p) ** 2, 3 * p**2 * (1 - p), p**3]  # 0.029, 0.197, 0.443, 0.331
    for level, expected in ((0.95, (1, 3)), (0.98, (0, 3)), (0.5, (2, 3))):
        tail = (1 - level) / 2
        middle = [sum(odds[:k]) + odds[k] / 2 for k in range(4)]
        inside = [k for k in range(4) if tail < middle[k] < 1 - tail]
        inside += [3]  # the count itself
        assert (min(inside), max(inside)) == expected
        found = count_interval(entropy, std_error, foreground, level=level, **settings)["n_foreground"]
        assert (int(found.value), int(found.low), int(found.high)) == (3, *expected)
    beside = count_interval(entropy, std_error, foreground, **settings)["n_background"]
    assert (int(beside.value), int(beside.low), int(beside.high)) == (1, 1, 1)


def test_the_baseline_entropy_is_redrawn_too():
    """Noise on the background alone moves the threshold of the foreground's cells."""
    entropy, foreground = scene(3, 0)
    noise = 0.05 * (~foreground).double()[:, None]
    found = count_interval(entropy, None, foreground, noise=noise, scope="image", redraws=200, seed=0)[
        "n_foreground"
    ]
    assert bool((found.low < found.value).all()) and bool((found.value < found.high).all())
    still = count_interval(entropy, 0.0, foreground, redraws=5, seed=0)["n_foreground"]
    assert torch.equal(still.low, still.high) and torch.equal(still.low, still.value)


@pytest.mark.slow  # simulated coverage
@pytest.mark.parametrize("spread, cells, true", [(0.2, 32, 5), (0.25, 94, 20), (0.3, 160, 40)])
def test_coverage_of_true_counts_under_correlated_noise(spread, cells, true):
    """400 true maps, each measured once with noise of 0.02 nats; nothing but the truth is compared with."""
    hits, misses_of_independent, lengths, counted = 0, 0, 0, 0
    for repeat in range(10):
        truth, foreground = scene(40, repeat, spread, cells)
        noise = correlated(truth)
        xi = torch.randn(40, noise.shape[1], 1, 1, generator=torch.Generator().manual_seed(repeat)).double()
        measured = truth + (xi * noise).sum(1)
        wanted = count_concepts(concept_cells(truth, foreground), foreground)
        settings = {"redraws": 150, "seed": repeat}
        found = count_interval(measured, None, foreground, noise=noise, **settings)
        bare = count_interval(measured, noise.square().sum(1).sqrt(), foreground, **settings)
        for name, count in zip(("n_foreground", "n_background"), wanted, strict=True):
            one = found[name]
            assert bool((one.low <= one.value).all()) and bool((one.value <= one.high).all())
            hits += int(((one.low <= count) & (count <= one.high)).sum())
            misses_of_independent += int(((count < bare[name].low) | (count > bare[name].high)).sum())
            lengths += int((one.high - one.low).sum())
        counted += int(wanted[0].sum())
    assert counted / 400 == pytest.approx(true, rel=0.1)
    assert 0.90 <= hits / 800 <= 0.98
    assert misses_of_independent > 1.3 * (800 - hits)
    assert lengths / 800 < 0.3 * 46  # of about 46 concepts on and beside the object at most


def test_same_seed_same_interval_and_other_levels_nest():
    entropy, foreground = scene(4, 0)
    noise = correlated(entropy, 0.05)
    one, again, other = (
        count_interval(entropy, None, foreground, noise=noise, redraws=100, seed=seed)["n_background"]
        for seed in (3, 3, 4)
    )
    assert torch.equal(one.low, again.low) and torch.equal(one.high, again.high)
    assert not (torch.equal(one.low, other.low) and torch.equal(one.high, other.high))
    narrow = count_interval(entropy, None, foreground, noise=noise, level=0.5, redraws=100, seed=3)[
        "n_background"
    ]
    assert bool((one.low <= narrow.low).all()) and bool((narrow.high <= one.high).all())
    assert bool((narrow.high - narrow.low < one.high - one.low).all())


@pytest.mark.parametrize(
    "options, words",
    [
        ({"level": 0.3}, "level must lie between 0.5 and 1; got 0.3"),
        ({"level": 95}, "got 95"),
        ({"redraws": 0}, "redraws must be"),
        ({"noise": torch.zeros(1, 1)}, "noise must have the shape"),
        ({"margin": 0.0}, "margin must be"),
    ],
)
def test_bad_input_gives_one_sentence(options, words):
    entropy, foreground = scene(2, 0)
    with pytest.raises(InputError, match=words):
        count_interval(entropy, 0.1, foreground, **{"redraws": 2, "seed": 0, **options})

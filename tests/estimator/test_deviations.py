"""Noise as deviations: their squares are variances, their products covariances, and folding keeps both."""

import pytest
import torch

from kdprobe.estimator.descent import pinned
from kdprobe.estimator.solvers.deviations import REPLICATES, deviations_of_mean, fold, matched


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_products_of_deviations_are_the_covariance_of_the_mean(count):
    samples = normal(count, 2, 3)
    found = torch.einsum("sa,sb->ab", *[deviations_of_mean(samples).flatten(1)] * 2)
    mean = samples.flatten(1).mean(0)
    for a in range(6):
        for b in range(6):
            products = [float((row[a] - mean[a]) * (row[b] - mean[b])) for row in samples.flatten(1)]
            assert float(found[a, b]) == pytest.approx(sum(products) / (count - 1) / count)


def test_sources_folded_in_parts_are_the_sources_folded_at_once():
    """The random signs of a source depend on its number alone, not on how many follow."""
    sources = normal(700, 2, 2)
    whole = fold(sources, 5)
    for cut in (1, 17, 16 * 16, 699):
        torch.testing.assert_close(fold(sources[:cut], 5) + fold(sources[cut:], 5 + cut), whole)


def test_folding_keeps_variances_and_covariances_on_average():
    """Of two networks that met the same noise, too; sources of other numbers do not correlate."""
    sources = normal(300, 20, 20)
    own = fold(sources)
    assert own.shape == (REPLICATES, 20, 20)
    total = own.square().sum(0) / sources.square().sum(0)
    assert abs(float(total.mean()) - 1) < 0.03
    other = fold(0.5 * sources + normal(300, 20, 20, seed=1))
    assert abs(float((own * other).sum(0).mean()) / 150 - 1) < 0.05
    elsewhere = fold(sources, first=300)
    assert abs(float((own * elsewhere).sum(0).mean())) / 300 < 0.05


def test_a_single_source_keeps_its_variance_exactly():
    source = normal(1, 3, 3)
    torch.testing.assert_close(fold(source, 40).square().sum(0), source[0].square())


def test_matched_noise_has_the_given_variance_and_the_old_signs():
    noise, variance = normal(4, 3, 3), normal(3, 3, seed=2).square()
    noise[:, 0, 0] = 0
    found = matched(noise, variance)
    expected = variance.clone()
    expected[0, 0] = 0
    torch.testing.assert_close(found.square().sum(0), expected)
    assert torch.equal(found.sign(), noise.sign())


def test_pinned_noise_is_the_contrast_of_the_iterate_at_the_target():
    """Where all cells move alike it is the deviation from the mean; else those that move faster follow the delay."""
    noise = normal(2, 5, 3, 3)
    ones = torch.ones(2, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(pinned(noise, ones, ones), noise - noise.mean((2, 3), keepdim=True))
    velocity, weight = 0.01 * normal(2, 3, 3, seed=1).exp(), normal(2, 3, 3, seed=2).exp()
    found = pinned(noise, velocity, weight)
    torch.testing.assert_close(found.mean((2, 3)), torch.zeros(2, 5, dtype=torch.float64))
    for image in range(2):
        for r in range(5):
            late = (weight[image] * noise[image, r]).sum() / (weight[image] * velocity[image]).sum()
            moved = noise[image, r] - late * velocity[image]
            assert abs(float((weight[image] * moved).sum())) < 1e-9
            torch.testing.assert_close(found[image, r], moved - moved.mean())

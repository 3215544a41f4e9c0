import numpy as np
import pytest

from analyses.pool_seeds import differences, pooled


def test_one_mean_two_intervals():
    """Seeds that disagree: sure of these runs, unsure of a new one."""
    generator = np.random.default_rng(0)
    pairs = [
        np.stack([shift + 0.1 * generator.normal(size=50), 0.1 * generator.normal(size=50)])
        for shift in (0.0, 1.0, 2.0)
    ]
    exact, resampled = differences(pairs, np.mean, generator)
    assert exact == pytest.approx([pair[0].mean() - pair[1].mean() for pair in pairs])
    found = pooled(exact, resampled, generator)
    assert found["difference"] == pytest.approx(exact.mean())
    assert found["images_low"] < exact.mean() < found["images_high"]
    assert found["images_high"] - found["images_low"] < 0.1
    # Between-seed spread 1.0: a standard error near 1 / sqrt(3) = 0.58, so that zero is not excluded by much.
    assert 1.6 < found["nested_high"] - found["nested_low"] < 2.6


def test_pairs_stay_together():
    """Student and baseline of an image are drawn together: a constant difference has no spread."""
    values = np.random.default_rng(1).normal(size=30)
    exact, resampled = differences([np.stack([values + 0.5, values])], np.mean, np.random.default_rng(2))
    assert exact == pytest.approx([0.5])
    assert np.allclose(resampled, 0.5)

import math

import numpy as np
import pytest
from oracles import inference as oracle
from scipy import stats

from kdprobe.errors import InputError
from kdprobe.metrics import detectable_difference, difference_tests
from kdprobe.metrics.effect import paired_effect
from kdprobe.metrics.seed_values import SeedValues, image_error, seed_error

NAN = float("nan")


def sample_variance(values):
    middle = oracle.mean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)


@pytest.mark.parametrize("n", [3, 4, 10, 40])
def test_effect_of_one_seed_is_hedges_g_of_the_paired_differences(n):
    generator = np.random.default_rng(n)
    student, baseline = generator.normal(0.5, 1, size=n), generator.normal(size=n)
    differences = (student - baseline).tolist()
    plain = oracle.mean(differences) / math.sqrt(sample_variance(differences))
    found = difference_tests([student], [baseline], seed=0)
    assert found.effect == pytest.approx(plain * oracle.hedges_correction(n - 1), rel=1e-4)


def test_effect_is_unbiased_in_small_samples():
    """5,000 experiments of 5 images with a true effect of 0.8; uncorrected the mean would be 1.0."""
    draws = np.random.default_rng(0).normal(0.8, 1, size=(5000, 5))
    effects = [
        paired_effect([SeedValues([row, np.zeros(5)], [None, None], np.arange(5))], "mean") for row in draws
    ]
    assert np.mean(effects) == pytest.approx(0.8, abs=4 * np.std(effects) / math.sqrt(5000))


def test_seeds_that_disagree_do_not_shrink_the_effect_between_images():
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(3, 400))
    noise -= noise.mean(1, keepdims=True)
    student = [row + shift for row, shift in zip(noise, (0.0, 3.0, 6.0), strict=True)]
    found = difference_tests(student, [np.zeros(400)] * 3, seed=0)
    assert found.effect == pytest.approx(3.0, rel=0.05)


def test_effect_of_a_spread_is_that_of_its_linearised_statistic():
    """Its z value, effect times sqrt(n), is the difference over the jackknife's standard error."""
    generator = np.random.default_rng(1)
    student, baseline = generator.normal(0, 1.3, size=300), generator.normal(size=300)
    for statistic in ("std", "var"):
        value, jackknife = (
            oracle.spread(student.tolist(), statistic) - oracle.spread(baseline.tolist(), statistic),
            [
                oracle.spread(np.delete(student, i).tolist(), statistic)
                - oracle.spread(np.delete(baseline, i).tolist(), statistic)
                for i in range(300)
            ],
        )
        error = math.sqrt(299 / 300 * sum((x - oracle.mean(jackknife)) ** 2 for x in jackknife))
        found = difference_tests([student], [baseline], statistic=statistic, seed=0)
        assert found.effect * math.sqrt(300) == pytest.approx(value / error, rel=0.02)
        assert found.detectable == pytest.approx(2.81 * error, rel=0.02)


def test_superiority_counts_images_and_half_the_ties():
    student, baseline = [[3.0, 2, 1, 5], [1.0, 1]], [[1.0, 2, 2, 1], [0.0, 0]]
    found = difference_tests(student, baseline, seed=0)
    assert found.superiority == pytest.approx((2.5 / 4 + 2 / 2) / 2)
    turned = difference_tests(baseline, student, seed=0)
    assert turned.superiority == pytest.approx(1 - found.superiority)
    spreads = difference_tests([[-3.0, 0, 3]], [[-1.0, 0, 1]], statistic="std", seed=0)
    assert spreads.superiority == pytest.approx(2.5 / 3)


@pytest.mark.parametrize("free", [1, 2, 4, 39])
@pytest.mark.parametrize("power, alpha", [(0.8, 0.05), (0.9, 0.01)])
def test_detectable_difference_has_the_power_that_it_is_asked_for(free, power, alpha):
    found = detectable_difference(1.0, free, power=power, alpha=alpha)
    edge = stats.t.ppf(1 - alpha / 2, free)
    assert oracle.t_power(found, edge, free) == pytest.approx(power, abs=1e-3)
    assert detectable_difference(2.5, free, power=power, alpha=alpha) == pytest.approx(2.5 * found)


def test_detectable_difference_of_many_images_is_2_8_standard_errors():
    normal = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert detectable_difference(1.0, 10**6) == pytest.approx(normal, rel=1e-4)
    assert detectable_difference(0.0, 5) == 0
    assert math.isnan(detectable_difference(NAN, 5)) and math.isnan(detectable_difference(1.0, 0))


def test_detectable_difference_of_three_seeds_is_that_of_their_spread():
    noise = np.random.default_rng(0).normal(size=(3, 100))
    noise -= noise.mean(1, keepdims=True)
    shifts = [0.0, 1.0, 3.0]
    student = [row + shift for row, shift in zip(noise, shifts, strict=True)]
    found = difference_tests(student, [np.zeros(100)] * 3, seed=0)
    error = math.sqrt(sample_variance(shifts) / 3)
    assert found.detectable == pytest.approx(detectable_difference(error, 2), rel=1e-9)
    agreed = difference_tests(list(noise), [np.zeros(100)] * 3, seed=0)
    parts = [sample_variance(row.tolist()) / 100 for row in noise]
    free = sum(parts) ** 2 / sum(part**2 / 99 for part in parts)
    of_images = math.sqrt(sum(parts)) / 3
    assert agreed.detectable == pytest.approx(detectable_difference(of_images, free), rel=1e-9)


def test_images_that_seeds_share_make_no_smaller_error_than_one_seeds():
    values = np.random.default_rng(0).normal(size=40)
    shared = [SeedValues([values], [None], np.arange(40))] * 4
    apart = [SeedValues([values], [None], np.arange(40) + 40 * s) for s in range(4)]
    alone = math.sqrt(sample_variance(values.tolist()) / 40)
    assert image_error(apart, "mean") == pytest.approx((alone / 2, 4 * 39))
    assert image_error(shared, "mean") == pytest.approx((alone, 39))


def test_the_effect_is_corrected_for_different_images():
    values = np.random.default_rng(0).normal(0.5, 1, size=5)
    ids = [list("abcde")] * 4
    found = difference_tests([values] * 4, [np.zeros(5)] * 4, seed=0, images=ids)
    alone = difference_tests([values], [np.zeros(5)], seed=0)
    # 16 deviations from 4 means estimate the standard deviation as 4 from one do.
    assert found.effect == pytest.approx(alone.effect)


def test_a_seed_with_a_single_image_has_the_variance_of_the_others_images():
    noise = np.array([[-0.5], [0.5]])
    columns = [np.array([1.0, 3.0, 5.0]), np.array([2.0])]
    ids = [np.arange(3), np.arange(3, 4)]
    without = [SeedValues([c], [None], i) for c, i in zip(columns, ids, strict=True)]
    assert image_error(without, "mean")[0] == pytest.approx(math.sqrt((4 / 3 + 4 / 1) / 2**2))
    noisy = [SeedValues([c], [c + noise], i) for c, i in zip(columns, ids, strict=True)]
    assert image_error(noisy, "mean")[0] == pytest.approx(math.sqrt((4 / 3 + 4 / 1 + 0.25 + 0.25) / 2**2))


def test_unequal_seeds_have_welchs_degrees_of_freedom():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=40), generator.normal(0, 3, size=4)
    seeds = [SeedValues([first], [None], np.arange(40)), SeedValues([second], [None], np.arange(40, 44))]
    error, free = image_error(seeds, "mean")
    welch = stats.ttest_ind(first, second, equal_var=False)
    assert (first.mean() - second.mean()) / (2 * error) == pytest.approx(welch.statistic)
    assert free == pytest.approx(welch.df)


def test_three_seeds_show_less_than_half_their_standard_deviation_in_22_percent():
    """As `detectable` says of its own error: chi² with two degrees of freedom."""
    draws = np.random.default_rng(0).normal(size=(4000, 3, 1))
    errors = [
        seed_error([SeedValues([v], [None], np.array([s])) for s, v in enumerate(each)], "mean")[0]
        for each in draws
    ]
    shares = np.mean(np.array(errors) * math.sqrt(3) < 0.5), np.mean(errors) * math.sqrt(3)
    assert shares == pytest.approx((1 - math.exp(-1 / 4), math.sqrt(math.pi) / 2), abs=0.03)


def test_noise_raises_the_detectable_difference_by_its_variance():
    generator = np.random.default_rng(0)
    student = generator.normal(size=50)
    noise = student + generator.normal(0, 0.5, size=(400, 1))
    found = difference_tests([student], [np.zeros(50)], seed=0, student_noise=[noise])
    error = math.sqrt(student.var(ddof=1) / 50 + (noise.mean(1) - noise.mean()).var())
    assert found.detectable == pytest.approx(detectable_difference(error, 49), rel=1e-9)


def test_two_images_have_no_effect_and_one_nothing_detectable():
    two = difference_tests([[1.0, 2.0]], [[0.0, 0.5]], seed=0)
    assert math.isnan(two.effect) and two.detectable > 0
    one = difference_tests([[1.0]], [[0.0]], seed=0)
    assert math.isnan(one.effect) and math.isnan(one.detectable) and one.p_permutation == 1


@pytest.mark.parametrize("alpha, power", [(0.0, 0.8), (0.6, 0.8), (0.05, 0.4), (0.05, 1.0)])
def test_bad_alpha_and_power_give_one_sentence(alpha, power):
    with pytest.raises(InputError, match=r"alpha must lie in 0 ... 0.5 and power in 0.5 ... 1; got"):
        detectable_difference(1.0, 5, alpha=alpha, power=power)

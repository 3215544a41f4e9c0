import math

import numpy as np
import pytest
import torch
from oracles import inference as oracle
from scipy import stats

from kdprobe.errors import InputError
from kdprobe.metrics import bootstrap_interval, nested_difference, nested_interval, paired_difference, verdict
from kdprobe.metrics.resampling import drawn_images, image_weights
from kdprobe.metrics.seed_values import SeedValues, image_error, seed_error

NAN = float("nan")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pairs(k, n, *, shift=0.0, between=0.0, seed=0):
    """k seeds of student and baseline with a true mean difference `shift` and a spread between seeds."""
    generator = np.random.default_rng(seed)
    student, baseline = [], []
    for _ in range(k):
        image, own, other = generator.normal(size=(3, n))
        student.append(torch.tensor(image + own * 0.5**0.5 + shift + between * generator.normal()))
        baseline.append(torch.tensor(image + other * 0.5**0.5))
    return student, baseline


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
def test_one_seed_is_the_interval_over_its_images(statistic):
    (student,), (baseline,) = pairs(1, 30)
    student[4] = NAN
    noises = {"student_noise": student + normal(20, 30, seed=1), "baseline_noise": None}
    alone = paired_difference(student, baseline, statistic=statistic, seed=3, **noises)
    listed = {name: None if noise is None else [noise] for name, noise in noises.items()}
    found = nested_difference([student], [baseline], statistic=statistic, seed=3, **listed)
    assert (found.value, found.low, found.high, found.n) == (alone.value, alone.low, alone.high, alone.n)
    assert (found.images_low, found.images_high, found.seeds) == (alone.low, alone.high, 1)
    assert found.images == found.n == 29
    network = nested_interval([student], statistic=statistic, seed=3, limits=(-0.1, 9.0))
    alone = bootstrap_interval(student, statistic=statistic, seed=3, limits=(-0.1, 9.0))
    assert (network.value, network.low, network.high) == (alone.value, alone.low, alone.high)


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
def test_value_is_the_mean_of_the_seeds_differences_and_the_interval_students_over_them(statistic):
    student, baseline = pairs(4, 200, between=2.0)
    student = [values * scale for values, scale in zip(student, (1, 2, 3, 4), strict=True)]
    student[1][7], baseline[2][3] = NAN, NAN
    differences = []
    for a, b in zip(student, baseline, strict=True):
        both = ~torch.isnan(a + b)
        differences.append(
            oracle.spread(a[both].tolist(), statistic) - oracle.spread(b[both].tolist(), statistic)
        )
    found = nested_difference(student, baseline, statistic=statistic, seed=0)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(oracle.mean(differences), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.n == 798 and found.seeds == 4
    assert found.low < found.images_low < found.value < found.images_high < found.high


def test_interval_over_images_is_that_of_all_ways_to_draw_them():
    """Two seeds of 4 images have 65,536 resamples: their quantiles, a seed's moves times sqrt(4 / 3), all of them by
    Student's t over the normal, its degrees of freedom Welch's."""
    student = [[0.0, 1.0, 2.0, 4.0], [3.0, 5.0, 5.5, 9.0]]
    baseline = [[0.5, 0.0, 1.0, 1.0], [4.0, 2.0, 2.5, 1.0]]
    drawn = oracle.resampled_seed_means(list(zip(student, baseline, strict=True)), "mean")
    differences = [np.subtract(*each) for each in zip(student, baseline, strict=True)]
    free = stats.ttest_ind(*differences, equal_var=False).df
    stretch = math.sqrt(4 / 3) * stats.t.ppf(0.9, free) / stats.norm.ppf(0.9)
    found = nested_difference(student, baseline, seed=0, level=0.8, resamples=100_000)
    for bound, place in ((found.images_low, 0.1), (found.images_high, 0.9)):
        around = [drawn[int((place + step) * len(drawn))] for step in (-0.005, 0.005)]
        low, high = (found.value + stretch * (value - found.value) for value in around)
        assert low - 1e-9 <= bound <= high + 1e-9


def test_seeds_that_agree_by_chance_are_not_surer_than_their_images():
    student, baseline = pairs(3, 40)
    student = [a - (a - b).mean() + 0.1 for a, b in zip(student, baseline, strict=True)]
    found = nested_difference(student, baseline, seed=0)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == (found.images_low, found.images_high)
    assert found.images_high - found.images_low > 0.2


def test_seeds_that_disagree_leave_undecided_what_their_images_alone_would_decide():
    student = [normal(40, seed=s) * 0.1 + shift for s, shift in enumerate((0.0, 1.0, 2.0))]
    baseline = [normal(40, seed=9 + s) * 0.1 for s in range(3)]
    found = nested_difference(student, baseline, seed=0)
    assert found.images_low > 0 and verdict(found, True) == "undecided"
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 2) / math.sqrt(3), rel=0.1)


def test_two_seeds_decide_next_to_nothing():
    """Students' t with one degree of freedom: 12.7 standard errors."""
    student = [normal(40, seed=s) * 0.1 + shift for s, shift in enumerate((1.0, 1.4))]
    found = nested_difference(student, [torch.zeros(40)] * 2, seed=0)
    assert found.low < 0 < found.images_low and found.high - found.low > 10 * abs(0.4)


def test_a_seed_without_values_is_left_out_and_none_at_all_gives_nan():
    student, baseline = pairs(3, 20)
    empty = torch.full((20,), NAN)
    found = nested_difference([*student, empty], [*baseline, baseline[0]], seed=0)
    without = nested_difference(student, baseline, seed=0)
    assert (found.seeds, found.n) == (3, 60) and found == without
    nothing = nested_difference([empty], [empty], seed=0)
    assert nothing.n == nothing.seeds == 0 and math.isnan(nothing.value) and math.isnan(nothing.low)
    single = [torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3.0])]
    means = nested_interval(single, seed=0)
    assert math.isnan(means.images_low) and means.high - means.value == pytest.approx(
        stats.t.ppf(0.975, 2) / math.sqrt(3)
    )
    spreads = nested_interval(single, statistic="std", seed=0)
    assert spreads.n == 0 and math.isnan(spreads.value)


def test_noise_of_each_seed_enters_the_interval_over_images_on_its_own():
    """Noise that all images of a seed share, k seeds: its variance is divided by k, whatever n."""
    values = [torch.full((50,), 2.0, dtype=torch.float64) for _ in range(4)]
    noise = [column + normal(500, 1, seed=s) for s, column in enumerate(values)]
    baseline = [torch.zeros(50, dtype=torch.float64)] * 4
    noisy = nested_difference(values, baseline, seed=0, student_noise=noise, resamples=20_000)
    assert noisy.images_high - noisy.images_low == pytest.approx(2 * 1.97 / math.sqrt(4), rel=0.05)
    assert noisy.value == 2.0 and noisy.images_low + noisy.images_high == pytest.approx(4.0, abs=0.1)
    cancelled = nested_difference(
        values,
        baseline,
        seed=0,
        student_noise=noise,
        baseline_noise=[n - 2 for n in noise],
        resamples=500,
    )
    assert cancelled.images_high - cancelled.images_low == pytest.approx(0, abs=1e-9)
    one = nested_difference(values, baseline, seed=0, student_noise=[noise[0], None, None, None])
    assert one.images_high - one.images_low == pytest.approx(2 * 1.97 / 4, rel=0.1)


def test_images_that_seeds_share_are_drawn_together_and_counted_once():
    """The same 40 images in 4 seeds, and nothing else: as sure as one seed, not as four."""
    values = normal(40)
    ids = [[f"image-{i}" for i in range(40)]] * 4
    shared = nested_interval([values + 1e-3 * s for s in range(4)], seed=0, images=ids, resamples=100_000)
    alone = stats.ttest_1samp(values.numpy(), 0).confidence_interval(0.95)
    width = alone.high - alone.low
    assert shared.images_high - shared.images_low == pytest.approx(width, rel=0.01)
    assert (shared.n, shared.images) == (160, 40)
    apart = nested_interval([values + 1e-3 * s for s in range(4)], seed=0, resamples=100_000)
    students = stats.t.ppf(0.975, 156) / stats.t.ppf(0.975, 39)
    assert apart.images_high - apart.images_low == pytest.approx(width / 2 * students, rel=0.01)
    assert (apart.n, apart.images) == (160, 160)


def test_degrees_of_freedom_are_those_of_different_images():
    """6 images in 12 seeds: 5, not 60; Student's t is 2.57, not 2.00."""
    values = normal(6)
    ids = [list("abcdef")] * 12
    found = nested_interval([values] * 12, seed=0, images=ids, resamples=100_000)
    half = (found.images_high - found.images_low) / 2
    # Quantiles of resampled means of six values are not quite normal.
    assert half == pytest.approx(stats.t.ppf(0.975, 5) * stats.sem(values.numpy()), rel=0.04)
    seeds = [SeedValues([values.numpy()], [None], np.arange(6))] * 12
    for error in (image_error, seed_error):
        assert error(seeds, "mean") == pytest.approx((stats.sem(values.numpy()), 5))


@pytest.mark.parametrize("count, word", [(1, "undecided"), (5, "undecided"), (6, "supported")])
def test_few_images_in_many_seeds_give_no_verdict(count, word):
    values = torch.linspace(1, 1.1, count, dtype=torch.float64)
    seeds = [values + 1e-3 * s for s in range(6)]
    found = nested_interval(seeds, seed=0, images=[[str(i) for i in range(count)]] * 6)
    assert found.low > 0 and found.n == 6 * count and found.images == count
    assert verdict(found, True) == word


def test_covariance_through_shared_images_adds_to_the_variance_between_seeds():
    generator = np.random.default_rng(3)
    ids = [[f"{i}" for i in generator.choice(30, 20, replace=False)] for _ in range(3)]
    image = dict(zip(map(str, range(30)), generator.normal(size=30), strict=True))
    values = [
        [image[i] + shift + 0.3 * generator.normal() for i in own]
        for own, shift in zip(ids, (0, 1, 3), strict=True)
    ]
    found = nested_interval(values, seed=0, images=ids)
    between = np.var([np.mean(column) for column in values], ddof=1) / 3
    shared = oracle.shared_covariances(list(zip(values, ids, strict=True))) / 6
    several = sum(sum(i in own for own in ids) > 1 for i in image)
    free = (between + shared) ** 2 / (between**2 / 2 + shared**2 / (several - 1))
    assert shared > 0.02 * between
    half = stats.t.ppf(0.975, free) * math.sqrt(between + shared)
    assert found.high - found.value == pytest.approx(half, rel=1e-9)


@pytest.mark.parametrize("k, n", [(2, 20), (3, 40), (5, 10), (10, 10)])
def test_the_square_of_the_error_of_new_seeds_is_the_variance_of_their_mean(k, n):
    """On average over 3,000 sets of seeds that share their images."""
    generator = np.random.default_rng(k)
    image, own, between = 1.0, 0.3, 0.1
    squares = []
    for _ in range(3000):
        columns = image * generator.normal(size=n) + own * generator.normal(size=(k, n))
        columns += between * generator.normal(size=(k, 1))
        seeds = [SeedValues([column], [None], np.arange(n)) for column in columns]
        squares.append(seed_error(seeds, "mean")[0] ** 2)
    true = oracle.variance_of_mean(k, n, image, own, between)
    assert np.mean(squares) == pytest.approx(true, abs=4 * np.std(squares) / math.sqrt(3000))


def test_the_same_where_seeds_share_some_of_their_images():
    """20 of 30 images in each of 3 seeds; the true variance from 20,000 means."""
    generator, squares, means = np.random.default_rng(2), [], []
    for repeat in range(20_000):
        pool = generator.normal(size=30)
        drawn = [generator.choice(30, 20, replace=False) for _ in range(3)]
        columns = [pool[i] + 0.3 * generator.normal(size=20) + 0.1 * generator.normal() for i in drawn]
        means.append(np.mean(columns))
        if repeat < 2000:
            seeds = [SeedValues([c], [None], i) for c, i in zip(columns, drawn, strict=True)]
            squares.append(seed_error(seeds, "mean")[0] ** 2)
    assert np.mean(squares) == pytest.approx(np.var(means), rel=0.06)


def test_order_of_the_images_does_not_matter_and_the_seed_does():
    student, baseline = pairs(3, 25)
    found = nested_difference(student, baseline, seed=1)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(0))
    turned = nested_difference([a[order] for a in student], [b[order] for b in baseline], seed=1)
    assert turned == found
    assert nested_difference(student, baseline, seed=2).images_low != found.images_low


def test_limits_cut_both_intervals_of_a_network():
    values = [torch.tensor([1.0] * 10 + [0.5 * s]).double() for s in range(3)]
    found = nested_interval(values, seed=0, limits=(0.9, 1.0))
    assert (found.low, found.high) == (0.9, 1.0) and 0.9 <= found.images_low < found.images_high <= 1.0
    spread = nested_interval([v * 10**s for s, v in enumerate(values)], statistic="std", seed=0)
    assert spread.low == 0 < spread.high


@pytest.mark.slow  # simulated coverage
@pytest.mark.parametrize(
    "k, n, between, statistic",
    [(3, 20, 0.0, "mean"), (3, 20, 0.3, "mean"), (5, 40, 0.3, "mean"), (3, 40, 0.3, "std")],
)
def test_coverage_of_the_nested_interval(k, n, between, statistic):
    """400 experiments: a true 95 % interval stays above the binomial's 1 in 1,000."""
    truth, hits, alone = 0.3 if statistic == "mean" else 0.0, 0, 0
    for repeat in range(400):
        student, baseline = pairs(
            k, n, shift=0.3, between=0.0 if statistic == "std" else between, seed=repeat
        )
        if statistic == "std":
            scales = 1 + between * np.random.default_rng(10_000 + repeat).normal(size=k)
            student = [scale * a for scale, a in zip(scales, student, strict=True)]
        found = nested_difference(student, baseline, statistic=statistic, seed=repeat, resamples=300)
        hits += found.low <= truth <= found.high
        alone += found.images_low <= truth <= found.images_high
    lowest, highest = stats.binom.interval(0.999, 400, 0.95)
    assert hits >= lowest
    if between:
        assert hits <= stats.binom.ppf(
            0.999, 400, 0.98
        )  # the hull with the interval over images adds up to 3 %
        assert alone < lowest  # which does not speak of new seeds
    else:
        assert lowest <= alone <= highest


@pytest.mark.slow  # simulated coverage
@pytest.mark.parametrize("k, n", [(3, 30), (10, 10)])
def test_coverage_where_seeds_share_their_images(k, n):
    hits = {"told": 0, "not told": 0, "images": 0}
    ids = [[str(i) for i in range(n)]] * k
    for repeat in range(600):
        generator = np.random.default_rng(repeat)
        image = generator.normal(size=n)
        values = [image + 0.3 * generator.normal(size=n) + 0.15 * generator.normal() for _ in range(k)]
        for name, images in (("told", ids), ("not told", None)):
            found = nested_interval(values, seed=repeat, images=images, resamples=300)
            hits[name] += found.low <= 0 <= found.high
        equal = [column - column.mean() + image.mean() for column in values]
        alone = nested_interval(equal, seed=repeat, images=ids, resamples=300)
        hits["images"] += alone.images_low <= 0 <= alone.images_high
    lowest = stats.binom.ppf(0.001, 600, 0.95)
    assert hits["told"] >= lowest > hits["not told"]
    assert hits["images"] >= lowest


@pytest.mark.slow  # simulated coverage
@pytest.mark.parametrize("sizes", [(40, 1), (40, 2), (40, 40, 1), (3, 40), (40, 4), (2, 3, 2)])
def test_coverage_of_the_interval_over_images_where_a_seed_has_few(sizes):
    hits = 0
    for repeat in range(600):
        generator = np.random.default_rng(repeat)
        found = nested_interval([generator.normal(size=n) for n in sizes], seed=repeat, resamples=300)
        hits += found.images_low <= 0 <= found.images_high
    assert hits >= stats.binom.ppf(0.001, 600, 0.95)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: nested_interval(torch.zeros(3, 4), seed=0), "list with one entry per seed"),
        (lambda: nested_difference([[1.0]], [[1.0], [2.0]], seed=0), r"got \[1, 2\] entries"),
        (lambda: nested_difference([], [], seed=0), r"at least one; got \[0, 0\]"),
        (lambda: nested_difference([[1.0, 2]], [[1.0]], seed=0), r"got \[2, 1\] values"),
        (lambda: nested_interval([[1.0, 2]], seed=0, noise=[None, None]), r"got \[1, 2\] entries"),
        (lambda: nested_interval([[1.0, 2]], seed=0, images=[["a"]]), "needs 2 different image ids; got 1"),
        (lambda: nested_interval([[1.0, 2]], seed=0, images=[["a", "a"]]), "2 different image ids; got 1"),
        (lambda: nested_interval([[1.0, math.inf]], seed=0), "finite or NaN"),
        (lambda: nested_interval([[1.0, 2]], seed=0, statistic="median"), "mean, std, var; got 'median'"),
        (lambda: nested_interval([[1.0, 2]], seed=0, level=95), "got 95"),
        (lambda: nested_interval([[1.0, 2]], seed=0, resamples=0), "resamples must be"),
    ],
)
def test_bad_input_gives_one_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_a_draw_without_any_image_of_a_seed_has_no_value():
    seed = SeedValues([np.array([1.0, 3.0])], [None], np.arange(2))
    drawn = seed.resampled("mean", np.array([[0.0, 0.0], [2.0, 1.0]]))
    assert np.isnan(drawn[0]) and drawn[1] == pytest.approx(5 / 3)


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
def test_images_that_are_drawn_and_images_that_are_weighted_have_the_same_values(statistic):
    generator = np.random.default_rng(3)
    seed = SeedValues(list(generator.normal(5, 2, size=(2, 9))), [None, None], np.arange(9))
    places = drawn_images(generator, 9, 50)
    drawn = seed.drawn(statistic, places)
    assert drawn == pytest.approx(seed.resampled(statistic, image_weights(places)), rel=1e-9)
    first = [[column[i] for i in places[0]] for column in seed.columns]
    assert drawn[0] == pytest.approx(oracle.spread(first[0], statistic) - oracle.spread(first[1], statistic))

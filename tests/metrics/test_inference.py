import math
import warnings

import numpy as np
import pytest
import torch
from oracles import metrics as oracle
from scipy import stats

from kdprobe.errors import InputError
from kdprobe.metrics import bootstrap_interval, hypothesis_verdict, paired_difference, verdict
from kdprobe.records import Interval

NAN = float("nan")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
def test_value_is_the_statistic_with_ddof_0_of_the_images_that_have_a_value(statistic):
    values = normal(30)
    values[[3, 9]] = NAN
    interval = bootstrap_interval(values, statistic=statistic, seed=0)
    variance = oracle.variance(values.tolist())
    expected = {"mean": oracle.mean(values.tolist()), "std": math.sqrt(variance), "var": variance}[statistic]
    assert interval.value == pytest.approx(expected, rel=1e-12) and interval.n == 28
    assert interval.low < interval.value < interval.high


def test_interval_of_few_values_is_that_of_all_their_resamples():
    """5 values have 3125 resamples; the tail of the expanded interval is taken of the exact distribution."""
    values = [0.0, 1.0, 2.0, 4.0, 8.0]
    means = oracle.resampled_mean_quantiles(values)
    tail = stats.norm.cdf(-math.sqrt(5 / 4) * stats.t.ppf(0.9, 4))  # of the 80 % interval
    interval = bootstrap_interval(values, seed=1, level=0.8, resamples=100_000)
    assert interval.low == pytest.approx(means[int(tail * 3125)], abs=0.21)
    assert interval.high == pytest.approx(means[int((1 - tail) * 3125)], abs=0.21)
    plain = means[int(0.1 * 3125)]
    assert abs(interval.low - plain) > 0.21  # not the unexpanded one


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
@pytest.mark.parametrize("n, redraws", [(2, None), (7, 3), (40, None), (40, 50), (1500, 4)])
def test_intervals_are_those_of_scipys_bootstrap(statistic, n, redraws):
    """Bit for bit but for the order in which noise is summed; 1,500 images are more than are drawn at a time."""
    values = np.sort(normal(n).numpy())
    noise = None if redraws is None else values + normal(redraws, n, seed=1).numpy()
    of_images, of_noise = (np.random.default_rng(each) for each in np.random.SeedSequence(5).spawn(2))
    taken = getattr(np, statistic)
    spread = np.zeros(1) if noise is None else taken(noise, axis=1) - taken(noise, axis=1).mean()

    def drawn(column, axis):
        return taken(column, axis=axis) + of_noise.choice(spread, column.shape[:-1])

    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    expected = stats.bootstrap(
        (values,),
        drawn,
        n_resamples=2000,
        confidence_level=1 - 2 * tail,
        method="percentile",
        rng=of_images,
    ).confidence_interval
    found = bootstrap_interval(values, statistic=statistic, seed=5, noise=noise)
    low = expected.low if statistic == "mean" else max(expected.low, 0.0)
    ends = (taken(values), low, expected.high)
    same = ends if noise is None else pytest.approx(ends, rel=1e-12)
    assert (found.value, found.low, found.high) == same
    paired = paired_difference(values, np.zeros(n), statistic=statistic, seed=5, student_noise=noise)
    ends = (taken(values), expected.low, expected.high)
    assert (paired.value, paired.low, paired.high) == (
        ends if noise is None else pytest.approx(ends, rel=1e-12)
    )


@pytest.mark.parametrize("n", [20, 200])
def test_interval_of_a_mean_is_near_students(n):
    values = normal(n, seed=4)
    half = stats.t.ppf(0.975, n - 1) * float(values.std()) / math.sqrt(n)
    interval = bootstrap_interval(values, seed=0, resamples=20_000)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.05)
    assert interval.low + interval.high == pytest.approx(2 * float(values.mean()), abs=0.1 * half)


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 40])
@pytest.mark.parametrize("noise", [None, "same", "nan"])
def test_equal_values_one_image_and_no_image_give_no_warning(statistic, n, noise):
    values = torch.full((n + 2,), 0.1, dtype=torch.float64)
    values[n:] = NAN
    redraws = None if noise is None else values.expand(7, -1) * (1 if noise == "same" else NAN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = bootstrap_interval(values, statistic=statistic, seed=0, noise=redraws)
        two = paired_difference(values + 1, values, statistic=statistic, seed=0, student_noise=redraws)
    assert one.n == two.n == n
    if n == 0:
        assert all(math.isnan(x) for x in (one.value, one.low, one.high, two.value, two.low, two.high))
    elif n == 1:
        assert not math.isnan(one.value) and math.isnan(one.low) and math.isnan(one.high)
        assert verdict(two, True) == verdict(two, False) == "undecided"
    else:
        assert (one.low, one.high) == pytest.approx((one.value, one.value), abs=1e-12)
        assert two.value == pytest.approx(1 if statistic == "mean" else 0, abs=1e-12)


def test_difference_is_student_minus_baseline_over_images_valid_in_both():
    student = torch.tensor([5.0, NAN, 7, 9, 4, 8, 6, 100])
    baseline = torch.tensor([1.0, 50, 2, 4, 1, 2, 3, NAN])
    difference = paired_difference(student, baseline, seed=0)
    assert difference.n == 6 and difference.value == pytest.approx((39 - 13) / 6)
    assert 0 < difference.low <= difference.value <= difference.high
    swapped = paired_difference(baseline, student, seed=0)
    assert swapped.value == -difference.value and swapped.high < 0
    spread = paired_difference(student, baseline, statistic="std", seed=0)
    valid = [0, 2, 3, 4, 5, 6]
    expected = [oracle.variance([column[i].item() for i in valid]) ** 0.5 for column in (student, baseline)]
    assert spread.value == pytest.approx(expected[0] - expected[1])


def test_images_are_resampled_in_pairs():
    """Networks that agree up to a constant differ by just that, however much the images differ."""
    images = 100 * normal(40)
    difference = paired_difference(images + 0.5, images, seed=3)
    assert (difference.low, difference.high) == pytest.approx((0.5, 0.5))
    for statistic in ("std", "var"):
        same = paired_difference(images + 0.5, images, statistic=statistic, seed=3)
        assert (same.low, same.high) == pytest.approx((0, 0), abs=1e-8)
    assert paired_difference(images, images, seed=3) == Interval(value=0.0, low=0.0, high=0.0, n=40)


def test_noise_widens_the_interval_by_its_variance_and_does_not_shift_it():
    n, redraws = 50, 400
    values = normal(n)
    noise = values + 3.0 + 2 * normal(redraws, n, seed=1)  # biased by 3: the bias must not enter
    bare = bootstrap_interval(values, seed=0, resamples=20_000)
    noisy = bootstrap_interval(values, seed=0, noise=noise, resamples=20_000)
    assert noisy.value == bare.value
    ratio = (noisy.high - noisy.low) / (bare.high - bare.low)
    assert ratio == pytest.approx(math.sqrt(float(values.var()) + 4) / float(values.std()), rel=0.1)
    assert noisy.low + noisy.high == pytest.approx(bare.low + bare.high, abs=0.15 * (bare.high - bare.low))


def test_noise_that_all_images_share_is_not_averaged_away():
    """As the noise of H-bar: resampling images alone would never see it."""
    values = normal(400) * 0.01
    shared = values + normal(200, 1, seed=1)
    noisy = bootstrap_interval(values, seed=0, noise=shared, resamples=10_000)
    assert noisy.high - noisy.low == pytest.approx(2 * 1.96, rel=0.15)


@pytest.mark.parametrize("statistic", ["std", "var"])
def test_noise_makes_no_spread_where_it_only_inflates(statistic):
    """Independent noise makes every spread larger; on average that is taken off again."""
    values = normal(60)
    noise = values + normal(300, 60, seed=1)
    bare = bootstrap_interval(values, statistic=statistic, seed=0, resamples=10_000)
    noisy = bootstrap_interval(values, statistic=statistic, seed=0, noise=noise, resamples=10_000)
    inflated = bootstrap_interval(noise[0], statistic=statistic, seed=0)
    middle = (noisy.low + noisy.high) / 2
    assert abs(middle - bare.value) < 0.3 * abs(inflated.value - bare.value)
    assert noisy.high - noisy.low > bare.high - bare.low


def test_images_that_drop_out_of_a_redraw_are_out_of_that_redraw_only():
    values = torch.cat([torch.zeros(20), torch.ones(20)]).double()
    noise = values.expand(2, -1).clone()
    noise[1, 20:] = NAN  # in half of the redraws only the zeros are left: mean 0 instead of 0.5
    noisy = bootstrap_interval(values, seed=0, noise=noise, resamples=10_000)
    bare = bootstrap_interval(values, seed=0, resamples=10_000)
    assert noisy.value == bare.value == 0.5 and noisy.n == 40
    assert noisy.low < 0.5 - 0.2 and noisy.high > 0.5 + 0.2 and bare.high - bare.low < 0.35


def test_noise_of_both_networks_adds_up_where_it_is_independent_and_cancels_where_it_is_shared():
    """Redraw r of the student enters with redraw r of the baseline."""
    n = 100
    student = normal(n, 1)[:, 0] * 0.001
    baseline = student.clone()
    first, second = (normal(4000, 1, seed=seed).expand(-1, n) for seed in (1, 2))

    def width(of_student, of_baseline):
        noises = {"student_noise": of_student, "baseline_noise": of_baseline}
        found = paired_difference(student, baseline, seed=0, resamples=20_000, **noises)
        return found.high - found.low

    one = width(student + first, None)
    assert width(None, baseline + first) == pytest.approx(one, rel=0.05)
    assert width(student + first, baseline + second) / one == pytest.approx(2**0.5, rel=0.05)
    assert width(student + first, baseline + first) == pytest.approx(0, abs=1e-12)
    assert width(student + 3 * first, baseline + first) / one == pytest.approx(2, rel=0.05)
    assert width(student + first, baseline - first) / one == pytest.approx(2, rel=0.05)


def test_redraws_in_which_one_network_has_no_value_leave_both():
    student = torch.zeros(10).double()
    noise = torch.zeros(4, 10).double()
    noise[0] = 100.0  # alone it would widen the interval; its partner has no value
    partner = torch.zeros(4, 10).double()
    partner[0] = NAN
    found = paired_difference(student, student, seed=0, student_noise=noise, baseline_noise=partner)
    assert (found.low, found.high) == (0, 0)


def test_limits_cut_the_interval_and_spreads_end_at_zero():
    values = torch.tensor([1.0] * 10 + [0.9])
    noise = values + 0.05 * normal(50, 1, seed=1)
    free = bootstrap_interval(values, seed=0, noise=noise)
    cut = bootstrap_interval(values, seed=0, noise=noise, limits=(0.0, 1.0))
    assert free.high > 1 == cut.high and free.low == cut.low
    assert bootstrap_interval(-values, seed=0, noise=-noise, limits=(-1.0, 0.0)).low == -1
    spread = bootstrap_interval(torch.ones(9), statistic="std", seed=0, noise=1 + normal(50, 9))
    assert spread.low == 0 < spread.high


def test_same_seed_same_interval_other_seed_another():
    values, noise = normal(30), normal(20, 30, seed=1)
    first = bootstrap_interval(values, seed=7, noise=noise)
    state = np.random.get_state()[1].copy()
    assert bootstrap_interval(values, seed=7, noise=noise) == first
    assert (np.random.get_state()[1] == state).all()
    assert bootstrap_interval(values, seed=8, noise=noise) != first
    assert bootstrap_interval(values, seed=8) != bootstrap_interval(values, seed=7)


@pytest.mark.parametrize(
    "low, high, higher_is_better, expected",
    [
        (0.1, 0.3, True, "supported"),
        (0.1, 0.3, False, "contradicted"),
        (-0.3, -0.1, True, "contradicted"),
        (-0.3, -0.1, False, "supported"),
        (-0.1, 0.3, True, "undecided"),
        (-0.1, 0.3, False, "undecided"),
        (0.0, 0.3, True, "undecided"),
        (-0.3, 0.0, False, "undecided"),
        (NAN, NAN, True, "undecided"),
        (NAN, NAN, False, "undecided"),
    ],
)
def test_verdict(low, high, higher_is_better, expected):
    assert verdict(Interval(value=(low + high) / 2, low=low, high=high, n=40), higher_is_better) == expected
    assert verdict(Interval(value=0.2, low=low, high=high, n=5), higher_is_better) == "undecided"
    assert verdict(Interval(value=0.2, low=low, high=high, n=6), higher_is_better) == expected


@pytest.mark.parametrize(
    "verdicts, expected",
    [
        (["supported"], "supported"),
        (["supported", "supported", "supported"], "supported"),
        (["supported", "undecided"], "undecided"),
        (["supported", "contradicted"], "undecided"),
        (["contradicted", "undecided"], "contradicted"),
        (["contradicted", "contradicted"], "contradicted"),
        (["undecided", "undecided"], "undecided"),
        (iter(["supported", "contradicted", "contradicted"]), "undecided"),
    ],
)
def test_hypothesis_verdict(verdicts, expected):
    assert hypothesis_verdict(verdicts) == expected


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: bootstrap_interval([1.0, math.inf], seed=0), "finite or NaN"),
        (lambda: bootstrap_interval([[1.0]], seed=0), r"must be \(N,\)"),
        (lambda: bootstrap_interval([1.0, 2], statistic="median", seed=0), "mean, std, var; got 'median'"),
        (lambda: bootstrap_interval([1.0, 2], seed=0, level=95), "level must lie between 0 and 1; got 95"),
        (lambda: bootstrap_interval([1.0, 2], seed=0, resamples=0), "resamples must be"),
        (lambda: bootstrap_interval([1.0, 2], seed=0, noise=[[1.0]]), r"must be \(R, 2\)"),
        (lambda: bootstrap_interval([1.0, 2], seed=0, noise=[1.0, 2]), r"must be \(R, 2\)"),
        (lambda: bootstrap_interval([1.0, 2], seed=0, noise=torch.zeros(0, 2)), r"got shape \(0, 2\)"),
        (lambda: bootstrap_interval([1.0, 2], seed=0, noise=[[1.0, math.inf]]), "or infinite values"),
        (lambda: paired_difference([1.0, 2], [1.0], seed=0), r"got \[2, 1\] values"),
        (
            lambda: paired_difference(
                [1.0, 2], [1.0, 2], seed=0, student_noise=torch.zeros(2, 2), baseline_noise=torch.zeros(3, 2)
            ),
            r"got \[2, 3\]: redraw both equally often",
        ),
        (lambda: hypothesis_verdict([]), "at least one"),
        (lambda: hypothesis_verdict(["yes"]), "got 'yes'"),
    ],
)
def test_bad_input_gives_one_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(
    "statistic, law, low",
    [("mean", "normal", 0.90), ("mean", "share", 0.90), ("std", "normal", 0.87), ("paired", "normal", 0.90)],
)
def test_coverage_of_the_95_percent_interval(statistic, law, low):
    """300 experiments of 40 images; the truth is known in closed form."""
    generator, hits = np.random.default_rng(11), 0
    for repeat in range(300):
        if statistic == "paired":
            images = generator.normal(size=40)
            student = images + 0.3 + generator.normal(0, 0.5, 40)
            baseline = images + generator.normal(0, 0.5, 40)
            interval, truth = paired_difference(student, baseline, seed=repeat, resamples=1000), 0.3
        else:
            values = generator.normal(size=40) if law == "normal" else generator.beta(4, 2, size=40)
            truth = {"mean": 0.0 if law == "normal" else 4 / 6, "std": 1.0}[statistic]
            interval = bootstrap_interval(values, statistic=statistic, seed=repeat, resamples=1000)
        hits += interval.low <= truth <= interval.high
    assert low <= hits / 300 <= 0.98


@pytest.mark.slow
def test_coverage_where_all_images_share_the_estimators_noise():
    """Every experiment's values carry one shared error of known size, which the images alone do not show."""
    generator = np.random.default_rng(5)
    hits = dict.fromkeys(("with", "without"), 0)
    for repeat in range(300):
        values = generator.normal(size=40) * 0.5 + generator.normal(0, 0.3)
        noise = values + generator.normal(0, 0.3, size=(100, 1))
        for name, redraws in (("with", noise), ("without", None)):
            interval = bootstrap_interval(values, seed=repeat, noise=redraws, resamples=1000)
            hits[name] += interval.low <= 0 <= interval.high
    assert 0.90 <= hits["with"] / 300 <= 0.98 and hits["without"] / 300 < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("statistic", ["mean", "std"])
def test_equal_networks_are_rarely_told_apart(statistic):
    """No difference in truth: supported and contradicted together in about 5 % of 300 experiments, evenly."""
    generator = np.random.default_rng(2)
    verdicts = []
    for repeat in range(300):
        student, baseline = generator.exponential(size=(2, 40))
        difference = paired_difference(student, baseline, statistic=statistic, seed=repeat, resamples=1000)
        verdicts.append(verdict(difference, True))
    supported, contradicted = verdicts.count("supported"), verdicts.count("contradicted")
    assert supported + contradicted <= 30 and abs(supported - contradicted) <= 15

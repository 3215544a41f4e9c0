import math

import numpy as np
import pytest
import torch
from oracles import inference as oracle
from scipy import stats

from kdprobe.errors import InputError
from kdprobe.metrics import difference_tests, holm, nested_difference

NAN = float("nan")


def pairs(k, n, *, shift=0.0, between=0.0, seed=0):
    """k seeds of student and baseline values, correlated over images, whose differences have variance 1."""
    generator = np.random.default_rng(seed)
    student, baseline = [], []
    for _ in range(k):
        image, own, other = generator.normal(size=(3, n))
        student.append(image + own * 0.5**0.5 + shift + between * generator.normal())
        baseline.append(image + other * 0.5**0.5)
    return student, baseline


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
@pytest.mark.parametrize("sizes", [(9,), (4, 5), (3, 3, 4)])
def test_permutation_p_is_that_of_all_swaps(statistic, sizes):
    generator = np.random.default_rng(len(sizes))
    seeds = [(generator.normal(0.5, 2, size=n), generator.normal(size=n)) for n in sizes]
    student, baseline = zip(*seeds, strict=True)
    found = difference_tests(list(student), list(baseline), statistic=statistic, seed=0)
    names = [[f"{s}-{i}" for i in range(n)] for s, n in enumerate(sizes)]
    listed = [(a.tolist(), b.tolist(), own) for (a, b), own in zip(seeds, names, strict=True)]
    assert found.p_permutation == pytest.approx(oracle.swap_p(listed, statistic), abs=1e-12)
    random = difference_tests(list(student), list(baseline), statistic=statistic, seed=0, resamples=400)
    error = math.sqrt(found.p_permutation * (1 - found.p_permutation) / 400)
    assert abs(random.p_permutation - found.p_permutation) < 4 * error + 2 / 400


def test_an_image_of_several_seeds_is_swapped_in_all_of_them():
    generator = np.random.default_rng(5)
    ids = [list("abcdef"), list("cdefgh")]
    student, baseline = generator.normal(0.4, 1, size=(2, 6)), generator.normal(size=(2, 6))
    found = difference_tests(list(student), list(baseline), seed=0, images=ids)
    listed = [(a.tolist(), b.tolist(), own) for a, b, own in zip(student, baseline, ids, strict=True)]
    expected = oracle.swap_p(listed, "mean")
    apart = difference_tests(list(student), list(baseline), seed=0, resamples=5000)
    assert found.p_permutation == pytest.approx(expected, abs=1e-12)
    assert abs(apart.p_permutation - expected) > 0.01
    differences = {}
    for a, b, own in listed:
        for x, y, image in zip(a, b, own, strict=True):
            differences.setdefault(image, []).append(x - y)
    means = [oracle.mean(values) for values in differences.values()]
    assert found.p_wilcoxon == pytest.approx(oracle.signed_rank_p(means), abs=1e-12)


@pytest.mark.parametrize("statistic", ["mean", "std", "var"])
def test_wilcoxon_p_is_that_of_all_signs_of_the_ranks(statistic):
    generator = np.random.default_rng(2)
    student, baseline = generator.normal(0.7, 1.5, size=11), generator.normal(size=11)
    parts = [student, baseline]
    if statistic != "mean":
        parts = [[(x - oracle.mean(column)) ** 2 for x in column] for column in parts]
    differences = [x - y for x, y in zip(*parts, strict=True)]
    found = difference_tests([student], [baseline], statistic=statistic, seed=0)
    assert found.p_wilcoxon == pytest.approx(oracle.signed_rank_p(differences), abs=1e-12)


@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_p_over_seeds_is_that_of_all_signs_and_never_below_its_floor(k):
    student, baseline = pairs(k, 12, shift=0.2, between=0.3, seed=k)
    means = [float((a - b).mean()) for a, b in zip(student, baseline, strict=True)]
    found = difference_tests(student, baseline, seed=0)
    assert found.p_seeds == pytest.approx(oracle.seed_sign_p(means), abs=1e-12)
    certain = difference_tests([a + 100 for a in student], baseline, seed=0)
    assert certain.p_seeds == 2.0 ** (1 - k)


def test_nested_p_is_students_over_the_seeds_but_never_below_that_over_images():
    student, baseline = pairs(4, 30, shift=0.3, between=0.5, seed=1)
    means = [float((a - b).mean()) for a, b in zip(student, baseline, strict=True)]
    found = difference_tests(student, baseline, seed=0)
    assert found.p_nested == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    assert found.p_nested > found.p_permutation
    agreed = [a - (a - b).mean() + 0.05 for a, b in zip(student, baseline, strict=True)]
    found = difference_tests(agreed, baseline, seed=0)
    assert found.p_nested == found.p_permutation > 0.1


def test_one_seed_says_nothing_about_seeds():
    student, baseline = pairs(1, 20, shift=0.5)
    found = difference_tests(student, baseline, seed=0)
    assert math.isnan(found.p_seeds) and math.isnan(found.p_nested) and found.seeds == 1
    assert 0 < found.p_permutation < 1 and 0 < found.p_wilcoxon < 1 and found.n == 20


def test_equal_networks_have_p_1_and_no_image_has_none():
    values = [np.arange(10.0)] * 3
    for statistic in ("mean", "std"):
        found = difference_tests(values, values, statistic=statistic, seed=0)
        assert found.p_permutation == found.p_wilcoxon == found.p_seeds == found.p_nested == 1
        assert math.isnan(found.effect) and found.superiority == 0.5 and found.detectable == 0
    nothing = difference_tests([[NAN, 1.0]], [[1.0, NAN]], seed=0)
    assert nothing.n == nothing.seeds == 0
    numbers = (nothing.p_permutation, nothing.p_wilcoxon, nothing.p_seeds, nothing.effect, nothing.detectable)
    assert all(math.isnan(number) for number in numbers)


def test_images_without_a_value_in_either_network_leave_the_tests():
    student, baseline = pairs(2, 15, shift=0.4)
    left = difference_tests([student[0][2:], student[1]], [baseline[0][2:], baseline[1]], seed=0)
    student[0][0], baseline[0][1] = NAN, NAN
    assert difference_tests(student, baseline, seed=0) == left and left.n == 28


def test_noise_that_all_images_share_makes_tests_less_sure():
    """The estimate of every network may be off as a whole; the images cannot know."""
    rejected = {"with": 0, "without": 0}
    for repeat in range(200):
        generator = np.random.default_rng(repeat)
        (student,), (baseline,) = pairs(1, 40, seed=repeat)
        student = student + generator.normal(0, 0.3)
        noise = torch.tensor(student + generator.normal(0, 0.3, size=(100, 1)))
        for name, redraws in (("with", [noise]), ("without", None)):
            found = difference_tests([student], [baseline], seed=repeat, student_noise=redraws, resamples=300)
            rejected[name] += found.p_permutation <= 0.05
    highest = stats.binom.ppf(0.999, 200, 0.05)
    assert rejected["with"] <= highest < rejected["without"]


@pytest.mark.parametrize("n", [4, 5, 6, 10, 12])
@pytest.mark.parametrize("size", [1e-9, 0.3])
def test_noise_never_makes_p_smaller(n, size):
    """n images all of one sign: no swap test can say less than 2^(1 - n)."""
    differences = np.arange(1.0, n + 1)
    noise = differences + size * np.random.default_rng(0).normal(size=(50, 1))
    without = difference_tests([differences], [np.zeros(n)], seed=0).p_permutation
    noisy = difference_tests([differences], [np.zeros(n)], seed=0, student_noise=[noise]).p_permutation
    assert without <= noisy <= without + 0.1
    if n <= 10:
        assert without == pytest.approx(2.0 ** (1 - n))


def test_every_swap_meets_noise_equally_often():
    """Eight swaps, of which two, ±2, are as far as what was found; noise of ±3, mean 0, moves seven in sixteen of all
    sums of both to 2 or beyond. 2,001 resamples are 251 whole rounds."""
    differences = np.array([1.0, 2.0, 3.0])
    noise = differences + 3.0 * np.array([[-1.0], [1.0]])
    found = difference_tests(
        [differences], [np.zeros(3)], seed=0, student_noise=[noise], resamples=2001
    ).p_permutation
    assert found * 2009 == pytest.approx(
        round(found * 2009), abs=1e-6
    )  # counted among 251 * 8 and what was found
    means = [oracle.mean([a, 2 * b, 3 * c]) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
    expected = oracle.share_at_least([m + e for m in means for e in (-3, 3)], 2.0)
    assert found == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 2008))


@pytest.mark.parametrize("statistic", ["mean", "std"])
def test_equal_networks_are_told_apart_as_often_as_the_level_says(statistic):
    """300 experiments of three equal seeds: no more than the binomial allows, and the tests over images no fewer."""
    names = ("p_permutation", "p_wilcoxon", "p_seeds", "p_nested")
    rejected = dict.fromkeys(names, 0)
    for repeat in range(300):
        student, baseline = pairs(3, 20, seed=repeat)
        found = difference_tests(student, baseline, statistic=statistic, seed=repeat, resamples=300)
        for name in names:
            rejected[name] += getattr(found, name) <= 0.05
    lowest, highest = stats.binom.interval(0.999, 300, 0.05)
    assert max(rejected.values()) <= highest
    assert min(rejected["p_permutation"], rejected["p_wilcoxon"]) >= lowest
    assert rejected["p_seeds"] == 0  # three seeds cannot


def test_networks_of_unequal_seeds_are_no_proof_for_new_seeds():
    """No difference on average, but every training ends elsewhere: true of these networks, not of training."""
    rejected = {"p_permutation": 0, "p_nested": 0}
    for repeat in range(200):
        student, baseline = pairs(4, 30, between=0.6, seed=repeat)
        found = difference_tests(student, baseline, seed=repeat, resamples=300)
        for name in rejected:
            rejected[name] += getattr(found, name) <= 0.05
    assert rejected["p_nested"] <= stats.binom.ppf(0.999, 200, 0.05) < rejected["p_permutation"]


def test_the_detectable_difference_is_found_in_80_percent():
    """One seed, 30 images with paired differences of variance 1."""
    true = stats.t.ppf(0.975, 29) / math.sqrt(30)  # found every second time; 2.9 / 2.05 as much in 80 %
    shares = []
    for shift in (true, true * 2.8960 / stats.t.ppf(0.975, 29)):
        found, detectable = 0, []
        for repeat in range(300):
            student, baseline = pairs(1, 30, shift=shift, seed=repeat)
            tests = difference_tests(student, baseline, seed=repeat, resamples=500)
            found += tests.p_permutation <= 0.05
            detectable.append(tests.detectable)
        shares.append(found)
    half, most = (stats.binom.interval(0.999, 300, power) for power in (0.5, 0.8))
    assert half[0] <= shares[0] <= half[1] and most[0] <= shares[1] <= most[1]
    assert np.mean(detectable) == pytest.approx(shift, rel=0.03)


def test_same_seed_same_p_other_seed_another():
    student, baseline = pairs(2, 40, shift=0.1)
    first = difference_tests(student, baseline, seed=1)
    assert difference_tests(student, baseline, seed=1) == first
    assert difference_tests(student, baseline, seed=2).p_permutation != first.p_permutation
    order = np.random.default_rng(0).permutation(40)
    turned = difference_tests([a[order] for a in student], [b[order] for b in baseline], seed=1)
    assert turned.p_permutation == pytest.approx(first.p_permutation, abs=0.05)


def test_tests_and_interval_see_the_same_seeds():
    student, baseline = pairs(3, 20)
    student[1][:] = NAN
    tests, interval = (f(student, baseline, seed=0) for f in (difference_tests, nested_difference))
    assert (tests.n, tests.seeds) == (interval.n, interval.seeds) == (40, 2)


def test_holm_is_closed_testing_with_bonferroni():
    generator = np.random.default_rng(0)
    for size in (1, 2, 3, 5, 7):
        for _ in range(5):
            p_values = (generator.random(size) ** 3).round(2).tolist()  # rounded: ties
            assert holm(p_values) == pytest.approx(oracle.holm(p_values), abs=1e-12)


def test_holm_leaves_out_nan():
    found = holm([0.01, NAN, 0.04, NAN])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04]) and np.isnan(found[[1, 3]]).all()
    assert np.isnan(holm([NAN, NAN])).all() and holm([]).shape == (0,)


def test_holm_keeps_the_chance_of_any_false_claim_at_the_level():
    """2,000 tables of 10 true hypotheses."""
    tables = np.random.default_rng(1).random((2000, 10))
    wrong = sum(holm(row).min() <= 0.05 for row in tables)
    lowest, highest = stats.binom.interval(0.999, 2000, 1 - 0.995**10)
    assert lowest <= wrong <= highest
    assert sum(row.min() <= 0.05 for row in tables) > 5 * wrong


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: holm([0.1, 1.2]), "in 0 ... 1 or NaN; got"),
        (lambda: holm([[0.1]]), "must be a list"),
        (lambda: holm(0.1), "must be a list"),
        (lambda: difference_tests([[1.0, 2]], [[1.0]], seed=0), r"got \[2, 1\] values"),
        (lambda: difference_tests([[1.0, 2]], [[1.0, 3]], seed=0, statistic="median"), "got 'median'"),
        (lambda: difference_tests([[1.0, 2]], [[1.0, 3]], seed=0, resamples=0), "resamples must be"),
    ],
)
def test_bad_input_gives_one_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()

import math

import numpy as np
import pytest
from scipy import stats

from analyses import inference_calibration as script
from analyses import simulated_seeds
from analyses.simulated_seeds import PLAIN, cases, experiment
from kdprobe.metrics import difference_tests, holm, nested_difference, nested_interval

CASE = PLAIN | {"k": 3, "n": 40, "between": 0.3}


@pytest.mark.parametrize("law", simulated_seeds.LAWS)
def test_simulated_networks_differ_by_what_is_asked(law):
    generator, case = np.random.default_rng(0), CASE | {"k": 1, "n": 200_000, "between": 0.0, "law": law}
    student, baseline, noise, images = experiment(generator, case, 0.4)
    difference = student[0] - baseline[0]
    assert difference.mean() == pytest.approx(0.4, abs=0.01)
    assert difference.std() == pytest.approx(1, rel=0.01)
    assert stats.skew(difference) == pytest.approx({"normal": 0, "skewed": 2 * 0.5**1.5}[law], abs=0.05)
    assert noise is None and images is None
    student, baseline, *_ = experiment(generator, case | {"statistic": "std"}, 0.4)
    assert student[0].std() - baseline[0].std() == pytest.approx(0.4, abs=0.02)


def test_simulated_seeds_differ_by_what_is_asked():
    case = CASE | {"k": 4000, "n": 10}
    student, baseline, *_ = experiment(np.random.default_rng(0), case)
    means = np.mean(student, 1) - np.mean(baseline, 1)
    assert means.std() == pytest.approx((0.3**2 + 1 / 10) ** 0.5, rel=0.05)


def test_simulated_seeds_share_images_as_is_asked():
    case = CASE | {"images": "same", "k": 2, "n": 100_000, "between": 0.0}
    student, baseline, _, images = experiment(np.random.default_rng(0), case)
    first, second = (a - b for a, b in zip(student, baseline, strict=True))
    assert first.std() == pytest.approx(1, rel=0.01) and second.std() == pytest.approx(1, rel=0.01)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(simulated_seeds.SHARED, abs=0.01)
    assert images[0] == images[1] and len(set(images[0])) == 100_000


def test_simulated_noise_moves_all_images_of_a_seed_and_is_given_in_redraws():
    case = CASE | {"noise": 0.2, "k": 3000, "n": 10, "between": 0.0}
    student, baseline, noise, _ = experiment(np.random.default_rng(0), case)
    means = np.mean(student, 1) - np.mean(baseline, 1)
    assert means.std() == pytest.approx((0.2**2 + 1 / 10) ** 0.5, rel=0.05)
    moves = np.array([redraws - values for redraws, values in zip(noise[:200], student, strict=False)])
    assert moves.shape == (200, simulated_seeds.REDRAWS, 10) and np.ptp(moves, -1).max() < 1e-12
    assert moves.std() == pytest.approx(0.2, rel=0.05)


def test_rows_cover_each_kind_of_setting_once():
    rows = list(cases())
    assert len({tuple(row.items()) for row in rows}) == len(rows)
    kinds = {(row["value"], row["images"], row["noise"] > 0) for row in rows}
    both = ("difference", "other")
    assert kinds == {
        (*both, False),
        (*both, True),
        ("difference", "same", False),
        ("network", "other", False),
    }
    assert {row["k"] for row in rows} == set(simulated_seeds.SEEDS)


@pytest.mark.parametrize("change", [{}, {"images": "same"}, {"noise": 0.2}])
def test_coverage_counts_the_intervals_that_hold_the_truth(change):
    case = CASE | change
    found = script.coverage(case, 40, seed=1)
    generator, hits = np.random.default_rng(1), 0
    for repeat in range(40):
        student, baseline, noise, images = experiment(generator, case)
        interval = nested_difference(
            student, baseline, seed=repeat, resamples=script.RESAMPLES, student_noise=noise, images=images
        )
        script.former_bootstrap(generator, student, baseline, "mean")
        hits += interval.low <= 0 <= interval.high
    assert found["coverage"] == hits / 40
    assert found["coverage_error"] == pytest.approx((hits / 40 * (1 - hits / 40) / 40) ** 0.5)
    assert found["images_coverage"] < found["coverage"] and found["images_width"] < found["width"]


def test_coverage_of_one_network_is_that_of_its_own_spread():
    case = CASE | {"value": "network", "statistic": "std", "between": 0.0}
    found = script.coverage(case, 30, seed=1)
    generator, hits = np.random.default_rng(1), 0
    for repeat in range(30):
        student, *_ = experiment(generator, case)
        interval = nested_interval(student, statistic="std", seed=repeat, resamples=script.RESAMPLES)
        hits += interval.low <= math.sqrt(1 + 0.5) <= interval.high
    assert found["coverage"] == hits / 30 > 0.8 and math.isnan(found["bootstrap_coverage"])


def test_the_former_bootstrap_knows_no_students_t():
    """Seeds far apart: it can reach no farther than the outer ones, widened."""
    student = [np.full(10, shift) for shift in (0.0, 1.0, 5.0)]
    found = script.former_bootstrap(np.random.default_rng(0), student, [np.zeros(10)] * 3, "mean")
    assert found == pytest.approx((2 - 2 * 1.5**0.5, 2 + 3 * 1.5**0.5))


def test_rates_of_tests_where_there_is_a_difference_and_where_there_is_none():
    found = script.rates(CASE | {"between": 0.0, "k": 5}, 20, seed=0)
    assert found["equal_p_permutation"] <= 0.25 < 0.9 <= found["other_p_permutation"]
    assert found["equal_p_seeds"] == found["other_p_seeds"] == 0  # five seeds cannot
    assert found["other_p_nested"] > 0.5 and found["test_simulations"] == 20
    assert 0 < found["equal_detectable"] < 1 and 0 < found["other_detectable"] < 1
    assert found["equal_detectable"] != found["other_detectable"]
    alone = script.rates(CASE | {"k": 1}, 5, seed=0)
    assert math.isnan(alone["equal_p_seeds"]) and math.isnan(alone["other_p_nested"])


def test_tables_are_wrong_where_holm_leaves_a_claim():
    case = CASE | {"k": 2, "n": 10, "between": 0.0}
    found = script.table_rate(case, 30, seed=3)
    generator, wrong = np.random.default_rng(3), 0
    for table in range(30):
        p_values = []
        for place in range(5):
            student, baseline, *_ = experiment(generator, case)
            settings = {"seed": table * 5 + place, "resamples": script.TEST_RESAMPLES}
            p_values.append(difference_tests(student, baseline, **settings).p_nested)
        wrong += holm(p_values).min() <= 0.05
    assert found == {"holm_tables": 30, "equal_holm": wrong / 30}


def test_every_row_of_the_table_has_its_columns(tmp_path, read, monkeypatch):
    """What there is not is empty, not 0."""
    chosen = [case for case in cases() if case["k"] in (1, 3) and case["law"] == "normal"]
    monkeypatch.setattr(script, "cases", lambda: iter(chosen))
    stem = tmp_path / "table"
    arguments = ["x", "--out", str(stem), "--simulations", "5", "--test-simulations", "5", "--tables", "1"]
    monkeypatch.setattr("sys.argv", arguments)
    script.main()
    rows = read(f"{stem}.csv")
    assert len(rows) == len(chosen)
    for row in rows:
        assert 0 <= float(row["coverage"]) <= 1 and row["simulations"] == "5"
        assert (row["bootstrap_coverage"] == "") == (row["value"] == "network")
        assert (row["holm_tables"] == "1") == (row["equal_holm"] != "")
    tested = [row for row in rows if row["equal_p_permutation"]]
    assert {(row["k"], row["n"]) for row in tested} == {("1", "40"), ("3", "40")}
    for row in tested:
        seeds = [row[f"{which}_{p}"] for which in ("equal", "other") for p in ("p_seeds", "p_nested")]
        assert (seeds == [""] * 4) == (row["k"] == "1") == ("" in seeds)
    assert {row["images"] for row in tested} == {"other", "same"}
    assert {row["noise"] for row in tested} == {"0", "0.2"}

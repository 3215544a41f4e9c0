import numpy as np
import pytest
from scipy import stats

from analyses import inference_calibration as script
from kdprobe.metrics import nested_difference

CASE = {"k": 3, "n": 40, "between": 0.3, "law": "normal", "statistic": "mean"}


@pytest.mark.parametrize("law", script.LAWS)
def test_simulated_networks_differ_by_what_is_asked(law):
    generator = np.random.default_rng(0)
    student, baseline = script.experiment(generator, 1, 200_000, 0.0, law, "mean", 0.4)
    difference = student[0] - baseline[0]
    assert difference.mean() == pytest.approx(0.4, abs=0.01) and difference.std() == pytest.approx(
        1, rel=0.01
    )
    assert stats.skew(difference) == pytest.approx({"normal": 0, "skewed": 2 * 0.5**1.5}[law], abs=0.05)
    student, baseline = script.experiment(generator, 1, 200_000, 0.0, law, "std", 0.4)
    assert student[0].std() - baseline[0].std() == pytest.approx(0.4, abs=0.02)


def test_simulated_seeds_differ_by_what_is_asked():
    student, baseline = script.experiment(np.random.default_rng(0), 4000, 10, 0.3, "normal", "mean", 0.0)
    means = np.mean(student, 1) - np.mean(baseline, 1)
    assert means.std() == pytest.approx((0.3**2 + 1 / 10) ** 0.5, rel=0.05)


def test_coverage_counts_the_intervals_that_hold_the_truth():
    found = script.coverage(CASE, 40, seed=1)
    generator, hits = np.random.default_rng(1), 0
    for repeat in range(40):
        student, baseline = script.experiment(generator, **CASE, difference=0.0)
        interval = nested_difference(student, baseline, seed=repeat, resamples=script.RESAMPLES)
        script.plain_bootstrap(generator, student, baseline, "mean")
        hits += interval.low <= 0 <= interval.high
    assert found["coverage"] == hits / 40
    assert found["coverage_error"] == pytest.approx((hits / 40 * (1 - hits / 40) / 40) ** 0.5)
    assert found["images_coverage"] < found["coverage"] and found["images_width"] < found["width"]


def test_the_plain_bootstrap_knows_no_students_t():
    """Seeds far apart: it can reach no farther than the outer ones, widened."""
    student = [np.full(10, shift) for shift in (0.0, 1.0, 5.0)]
    found = script.plain_bootstrap(np.random.default_rng(0), student, [np.zeros(10)] * 3, "mean")
    assert found == pytest.approx((2 - 2 * 1.5**0.5, 2 + 3 * 1.5**0.5))


def test_rates_of_tests_where_there_is_a_difference_and_where_there_is_none():
    found = script.rates(CASE | {"between": 0.0, "k": 5}, 20, seed=0)
    assert found["equal_p_permutation"] <= 0.25 < 0.9 <= found["other_p_permutation"]
    assert found["equal_p_seeds"] == found["other_p_seeds"] == 0  # five seeds cannot
    assert found["other_p_nested"] > 0.5 and found["test_simulations"] == 20
    assert 0 < found["detectable"] < 1


def test_every_row_of_the_table_has_its_columns(tmp_path, read, monkeypatch):
    monkeypatch.setattr(script, "SEEDS", (1, 3))
    monkeypatch.setattr(script, "LAWS", ("skewed",))
    stem = tmp_path / "table"
    arguments = ["x", "--out", str(stem), "--simulations", "5", "--test-simulations", "5"]
    monkeypatch.setattr("sys.argv", arguments)
    script.main()
    rows = read(f"{stem}.csv")
    assert len(rows) == 2 * len(script.IMAGES) * (2 * len(script.BETWEEN) - 1)
    tested = [row for row in rows if row["equal_p_permutation"]]
    assert {(row["k"], row["n"]) for row in tested} == {("1", "40"), ("3", "40")}
    for row in rows:
        assert 0 <= float(row["coverage"]) <= 1 and row["simulations"] == "5"
    assert all(row["equal_p_seeds"] == "0" for row in tested)

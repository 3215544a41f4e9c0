from dataclasses import replace

import pytest
import synthetic_units

from analyses.pool_seeds import main, pooled, unit
from kdprobe.metrics import METRICS, nested_difference, verdict


@pytest.mark.slow  # two experiments
def test_rows_are_the_comparisons_of_the_sweeps():
    """Images that seeds share are known, noise enters, 4,000 resamples whatever an experiment asks for."""
    units = synthetic_units.synthetic_units((0, 1, 2), images=10, pool=14, students=("kd", "feature"))
    found = pooled(units)
    assert [row["student"] for row in found] == ["student-kd"] * len(METRICS) + ["student-feature"] * len(
        METRICS
    )
    row, metric = found[1], METRICS[found[1]["metric"]]
    students, baselines = ([one.values(name) for one in units] for name in ("student-kd", "baseline"))
    expected = nested_difference(
        [one.values[row["metric"]] for one in students],
        [one.values[row["metric"]] for one in baselines],
        statistic=metric.statistic,
        seed=0,
        student_noise=[one.noise[row["metric"]] for one in students],
        baseline_noise=[one.noise[row["metric"]] for one in baselines],
        images=[one.ids for one in units],
        resamples=4000,
    )
    assert (row["images_low"], row["nested_high"]) == (expected.images_low, expected.high)
    assert row["verdict"] == verdict(expected, metric.higher_is_better)
    assert (row["seeds"], row["n"]) == (3, expected.n)
    for row in found:
        assert row["student_mean"] - row["baseline_mean"] == pytest.approx(row["difference"], abs=1e-12)


def test_learning_distances_are_compared_where_both_networks_have_the_same_epochs():
    units = synthetic_units.synthetic_units((0, 1, 2))
    student = units[0].networks["student-kd"]
    measured = student.measured
    last = len(measured.epochs) - 1
    shorter = replace(
        measured,
        entropy=measured.entropy[:last],
        noise=measured.noise[:last],
        epochs=measured.epochs[:last],
        path=measured.path[:last],
    )
    networks = units[0].networks | {"student-kd": replace(student, measured=shorter)}
    units[0] = replace(units[0], networks=networks)
    seeds = {row["metric"]: row["seeds"] for row in pooled(units)}
    assert seeds["n_foreground"] == 3 and seeds["learning_distance_mean"] == seeds["stability"] == 2


def test_tables_of_finished_experiments(experiment, tmp_path, read):
    out = tmp_path / "tables"
    assert main([str(experiment), str(experiment), "--out", str(out)]) == 0
    rows, summary = read(f"{out}_seeds.csv"), read(f"{out}_pooled.csv")
    assert len(rows) == 2 * len(METRICS) and [row["metric"] for row in summary] == list(METRICS)
    columns = (
        "student metric student_mean baseline_mean difference images_low images_high nested_low nested_high"
    )
    assert list(summary[0]) == [*columns.split(), "seeds", "n", "verdict"]
    one = unit(experiment)
    for row in summary[:2]:  # twice the same run: the mean of both is that of one
        parts = [one.values(name).values[row["metric"]] for name in ("student-feature", "baseline")]
        assert float(row["difference"]) == pytest.approx(float((parts[0] - parts[1]).mean()), rel=1e-5)
        assert (row["seeds"], row["n"]) == ("2", str(2 * len(one.ids)))


def test_a_folder_that_is_no_experiment_gives_one_sentence_and_no_table(tmp_path, capsys):
    assert main([str(tmp_path / "none"), "--out", str(tmp_path / "tables")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "none") in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())

import numpy as np
import pytest
import torch

from analyses.pool_seeds import main, per_image_values, pooled
from kdprobe.analysis import NetworkValues
from kdprobe.metrics import METRICS, nested_difference


def seed(shift, number, images):
    """A seed's two networks in one metric, and the ids of its images."""
    generator = np.random.default_rng(number)
    values = {name: torch.tensor(0.1 * generator.normal(size=50)) for name in ("student-kd", "baseline")}
    values["student-kd"] += shift
    noise = {
        name: column + torch.tensor(0.02 * generator.normal(size=(30, 1))) for name, column in values.items()
    }
    found = {
        name: NetworkValues({"stability": values[name]}, {"stability": noise[name]}, (0,)) for name in values
    }
    return found, tuple(f"{images}-{i}" for i in range(50))


def test_one_mean_two_intervals():
    """Seeds that disagree: sure of these runs, unsure of a new one."""
    found = pooled([seed(shift, s, s) for s, shift in enumerate((0.0, 1.0, 2.0))], "student-kd", "stability")
    assert found["difference"] == pytest.approx(found["student_mean"] - found["baseline_mean"])
    assert found["images_low"] < found["difference"] < found["images_high"]
    assert found["images_high"] - found["images_low"] < 0.1
    # Between-seed standard deviation 1: 4.30 / sqrt(3) on either side.
    assert found["nested_high"] - found["nested_low"] == pytest.approx(2 * 4.303 / 3**0.5, rel=0.1)
    assert (found["seeds"], found["n"], found["verdict"]) == (3, 150, "undecided")


def test_images_without_a_value_leave_both_means_and_images_of_several_seeds_are_known():
    seeds = [seed(1.0, 0, "same"), seed(1.1, 1, "same")]
    seeds[0][0]["baseline"].values["stability"][3] = torch.nan
    found = pooled(seeds, "student-kd", "stability")
    assert found["n"] == 99
    assert found["student_mean"] - found["baseline_mean"] == pytest.approx(found["difference"])
    columns = [
        [values[name].values["stability"] for values, _ in seeds] for name in ("student-kd", "baseline")
    ]
    noises = [[values[name].noise["stability"] for values, _ in seeds] for name in ("student-kd", "baseline")]
    expected = nested_difference(
        *columns,
        seed=0,
        student_noise=noises[0],
        baseline_noise=noises[1],
        images=[ids for _, ids in seeds],
        resamples=4000,
    )
    assert (found["images_low"], found["nested_high"]) == (expected.images_low, expected.high)


def test_tables_of_finished_experiments(experiment, tmp_path, read, monkeypatch):
    out = tmp_path / "tables"
    monkeypatch.setattr("sys.argv", ["pool_seeds", str(experiment), str(experiment), "--out", str(out)])
    main()
    rows, summary = read(f"{out}_seeds.csv"), read(f"{out}_pooled.csv")
    assert len(rows) == 2 * len(METRICS) and [row["metric"] for row in summary] == list(METRICS)
    columns = (
        "student metric student_mean baseline_mean difference images_low images_high nested_low nested_high"
    )
    assert list(summary[0]) == [*columns.split(), "seeds", "n", "verdict"]
    values, ids = per_image_values(experiment)
    for row in summary[:2]:  # twice the same run: the mean of both is that of one
        parts = [values[name].values[row["metric"]] for name in ("student-feature", "baseline")]
        assert float(row["difference"]) == pytest.approx(float((parts[0] - parts[1]).mean()), rel=1e-5)
        assert (row["seeds"], row["n"]) == ("2", str(2 * len(ids)))

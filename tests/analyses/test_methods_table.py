import pytest

from analyses import methods_table
from analyses.methods_table import rows_of, some_at_a_time, table
from kdprobe.errors import ConfigError
from kdprobe.experiment import ExperimentConfig
from kdprobe.storage import write_json


def comparison(*students: str) -> dict:
    """What comparison.json says of a teacher, a baseline and `students`, each with one metric."""
    value = {"value": 2.0, "low": 1.0, "high": 3.0, "n": 7}
    networks = ["teacher", "baseline", *(f"student-{name}" for name in students)]
    recipes = ["baseline", "baseline", *students]
    roles = ["teacher", "baseline", *("student" for _ in students)]
    return {
        "networks": {name: {"n_foreground": value} for name in networks if name != "teacher"},
        "details": {
            name: {"recipe": recipe, "role": role, "accuracy": 0.5}
            for name, recipe, role in zip(networks, recipes, roles, strict=True)
        },
        "comparisons": [
            {"student": f"student-{name}", "metric": "n_foreground", "difference": 0.5}
            | {"low": -0.5, "high": 1.5, "verdict": "undecided"}
            for name in students
        ],
    }


def test_each_list_holds_the_ones_before():
    assert list(some_at_a_time("abcde", 2)) == [["a", "b"], [*"abcd"], [*"abcde"]]


def test_a_network_that_is_not_measured_still_shows_its_accuracy():
    rows = rows_of(comparison("kd"), seed=3)
    assert [row["network"] for row in rows] == ["teacher", "baseline", "student-kd"]
    teacher, baseline, student = rows
    assert teacher["accuracy"] == 0.5 and teacher["metric"] == "" and teacher["value"] == ""
    assert baseline["metric"] == "N_fg" and baseline["difference"] == ""
    assert student["kind"] == "logits" and student["seed"] == 3
    assert (student["difference"], student["difference_low"], student["verdict"]) == (0.5, -0.5, "undecided")


def test_what_no_image_shows_is_left_empty():
    found = comparison()
    found["networks"]["baseline"]["n_foreground"] = {"value": None, "low": None, "high": None, "n": 0}
    row = rows_of(found, seed=0)[1]
    assert (row["value"], row["low"], row["high"], row["n"]) == ("", "", "", 0)


def test_time_that_is_up_leaves_a_table_of_what_is_done(tmp_path, monkeypatch, capsys):
    asked = []
    clock = iter([0.0, 100.0])

    def run(config, folder, show_progress):
        asked.append(config.students)
        folder.mkdir(exist_ok=True)
        write_json(folder / "comparison.json", comparison(*config.students))

    monkeypatch.setattr(methods_table, "run_experiment", run)
    monkeypatch.setattr(methods_table.time, "monotonic", lambda: next(clock))
    out = tmp_path / "table.csv"
    table(ExperimentConfig(), ["kd", "dkd", "takd"], 1, tmp_path / "run", out, until=50.0)
    assert asked == [["kd"]]
    assert "student-kd" in out.read_text() and "dkd" not in out.read_text()
    assert "Time is up before dkd" in capsys.readouterr().out


def test_methods_that_do_not_exist_stop_it_at_once(tmp_path):
    with pytest.raises(ConfigError, match="dkd"):
        table(ExperimentConfig(), ["dkdd"], 1, tmp_path / "run", tmp_path / "t.csv", until=1e9)


def test_a_config_that_is_none_gives_one_sentence(tmp_path, capsys):
    out = ["--folder", str(tmp_path / "run"), "--out", str(tmp_path / "t.csv")]
    assert methods_table.main(["--config", str(tmp_path / "none.yaml"), *out]) == 2
    said = capsys.readouterr().err
    assert "none.yaml cannot be read as a config" in said and said.count("\n") == 1

"""Which conclusions survive: what a choice changes, and what is said of all of them."""

import dataclasses
import sys

import pytest
from experiment.quick import untried

from analyses import sensitivity
from analyses.sensitivity import CHOICES, Choice, conclusions
from kdprobe.estimator import PROTOCOLS
from kdprobe.experiment import ExperimentConfig
from kdprobe.experiment.config import MeasureConfig
from kdprobe.experiment.sweep import SweepConfig, run_sweep

SWEEP = SweepConfig(
    data={"two": {"data": {"images_per_class": 6, "classes": ["0", "1"]}}},
    models={"small": {"model_options": {"widths": [4, 4, 4], "fc": 6}}},
    seeds=[0, 1],
    base={
        "teacher": {"epochs": 2},
        "training": {"epochs": 2, "classifier_epochs": 1, "batch_size": 4, "device": "cpu"},
        "measure": {
            "images": 6,
            "foreground_share": [0.01, 0.9],
            "grid": 8,
            "solver": "jacobian",
            "redraws": 2,
            "resamples": 20,
        },
    },
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sensitivity") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        assert run_sweep(SWEEP, folder, say=lambda _: None, show_progress=False) == []
    return folder


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
    sensitivity.main()


@pytest.mark.slow  # a sweep, counted many times
def test_every_choice_is_counted_anew_and_none_twice(sweep, tmp_path, read, monkeypatch):
    chosen = [c for c in CHOICES if c.name in ("margin", "scope", "filter", "weights")]
    monkeypatch.setattr(sensitivity, "CHOICES", chosen[:3])
    run(monkeypatch, sweep, "--out", tmp_path)
    first = read(tmp_path / "sensitivity.csv")
    monkeypatch.setattr(sensitivity, "CHOICES", chosen)
    run(monkeypatch, sweep, "--out", tmp_path)
    rows = read(tmp_path / "sensitivity.csv")
    assert rows[: len(first)] == first
    counted = {(row["choice"], row["setting"]) for row in rows}
    assert counted <= {(c.name, c.setting) for c in chosen} and len(counted) >= len(chosen) - 1
    defaults = {
        tuple(row[key] for key in ("difference", "low", "high"))
        for row in rows
        if row["is_default"] == "true" and row["metric"] == "n_background"
    }
    assert len(defaults) == 1  # the same numbers, however the default is called
    assert {row["setting"] for row in rows if row["is_default"] == "true"} == {
        "0.2",
        "dataset",
        "none",
        "dependent",
    }
    of_d = {
        row["setting"]: row["difference"]
        for row in rows
        if row["choice"] == "weights" and row["metric"] == "learning_distance_mean"
    }
    assert len(set(of_d.values())) == 3
    others = {
        row["difference"] for row in rows if row["choice"] == "weights" and row["metric"] == "n_foreground"
    }
    assert len(others) == 1  # the weights decide D alone

    def never(*_args):
        raise AssertionError("done twice")

    monkeypatch.setattr(sensitivity.Counts, "under", never)
    monkeypatch.setattr(sensitivity, "CHOICES", [c for c in chosen if (c.name, c.setting) in counted])
    run(monkeypatch, sweep, "--out", tmp_path)
    assert read(tmp_path / "sensitivity.csv") == rows


@pytest.mark.slow  # a sweep, measured three times
def test_grids_and_levels_take_maps_of_their_own(sweep, tmp_path, read, monkeypatch):
    chosen = [c for c in CHOICES if (c.name, c.setting) in (("grid", "8"), ("grid", "16"), ("level", "-3.0"))]
    monkeypatch.setattr(sensitivity, "CHOICES", [dataclasses.replace(c) for c in chosen])
    known = dict(PROTOCOLS)
    run(monkeypatch, sweep, "--out", tmp_path)
    assert not (tmp_path / "sensitivity.csv").exists()
    maps = len(list(sweep.rglob("entropy/*")))
    run(monkeypatch, sweep, "--out", tmp_path, "--remeasure")
    rows = read(tmp_path / "sensitivity.csv")
    assert {(row["choice"], row["setting"], row["is_default"]) for row in rows} == {
        ("grid", "8", "true"),
        ("grid", "16", "false"),
        ("level", "-3.0", "false"),
    }
    assert len(list(sweep.rglob("entropy/*"))) == maps + 2 * 3 * 2  # two choices, three networks, two seeds
    assert known == PROTOCOLS  # nothing of it stays behind


def test_a_preset_changes_counting_alone():
    config = ExperimentConfig(measure=MeasureConfig(margin=0.3, images=7))
    released = Choice("preset", "released", preset="released").applied(config)
    assert (released.measure.empty, released.measure.margin, released.measure.cell_rule) == (
        "zero",
        0.2,
        "released",
    )
    assert (released.measure.images, released.measure.path, released.training) == (
        7,
        "epochs",
        config.training,
    )


def test_conclusions_count_what_stays_what_is_left_open_and_what_turns_round():
    key = {"data": "d", "model": "m", "layer": "l", "student": "s", "metric": "stability", "choice": "margin"}
    verdicts = [("0.2", "supported", "true"), ("0.1", "supported", "false"), ("0.3", "undecided", "false")]
    verdicts += [("0.4", "contradicted", "false")]
    rows = [key | {"setting": s, "verdict": v, "is_default": d} for s, v, d in verdicts]
    (found,) = conclusions(rows)
    assert {
        name: found[name] for name in ("verdict", "choices", "same", "undecided", "decided", "opposite")
    } == {
        "verdict": "supported",
        "choices": 3,
        "same": 1,
        "undecided": 1,
        "decided": 0,
        "opposite": 1,
    }
    assert found["changed_by"] == "margin 0.3: undecided; margin 0.4: contradicted"
    open_rows = [
        key | {"setting": s, "verdict": v, "is_default": d}
        for s, v, d in [
            ("0.2", "undecided", "true"),
            ("0.1", "supported", "false"),
            ("0.3", "undecided", "false"),
        ]
    ]
    (found,) = conclusions(open_rows)
    assert (found["same"], found["undecided"], found["decided"], found["opposite"]) == (1, 0, 1, 0)

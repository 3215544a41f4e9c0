"""Which conclusions survive: what a choice changes, and what is said of all of them."""

import csv
import dataclasses
import shutil

import pytest
import yaml
from experiment.quick import untried

from analyses import sensitivity
from analyses.sensitivity import CHOICES, Choice, conclusions
from kdprobe.errors import InputError
from kdprobe.estimator import PROTOCOLS, find_protocol
from kdprobe.experiment import ExperimentConfig
from kdprobe.experiment.config import MeasureConfig
from kdprobe.experiment.sweep import SweepConfig, run_sweep

SWEEP = SweepConfig(
    data={"two": {"data": {"images_per_class": 6, "classes": ["0", "1"]}}},
    models={"small": {"model_options": {"widths": [4, 4, 4], "fc": 6}}},
    seeds=[0, 1],
    base={
        "live": {"images": 0},
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


def run(*arguments):
    return sensitivity.main([*map(str, arguments)])


def these(monkeypatch, *named):
    """Only the choices that are named are made."""
    chosen = [c for c in CHOICES if c.name in named or (c.name, c.setting) in named]
    monkeypatch.setattr(sensitivity, "CHOICES", chosen)
    return chosen


def names(rows):
    return {(row["choice"], row["setting"]) for row in rows}


@pytest.mark.slow  # a sweep, counted many times
def test_every_choice_is_counted_anew_and_none_twice(sweep, tmp_path, read, monkeypatch):
    these(monkeypatch, ("margin", "0.1"), ("margin", "0.15"), ("margin", "0.2"))
    assert run(sweep, "--out", tmp_path) == 0
    first = read(tmp_path / "sensitivity.csv")
    chosen = these(monkeypatch, "margin", "scope", "filter", "weights")
    assert run(sweep, "--out", tmp_path) == 0
    rows = read(tmp_path / "sensitivity.csv")
    assert rows[: len(first)] == first
    assert names(rows) == {(c.name, c.setting) for c in chosen}
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
    assert run(sweep, "--out", tmp_path) == 0
    assert read(tmp_path / "sensitivity.csv") == rows


@pytest.mark.slow  # a sweep, measured three times
def test_grids_and_levels_take_maps_of_their_own(sweep, tmp_path, read, monkeypatch):
    these(monkeypatch, ("grid", "8"), ("grid", "16"), ("level", "-3.0"))
    assert run(sweep, "--out", tmp_path) == 0
    assert not (tmp_path / "sensitivity.csv").exists()
    maps = len(list(sweep.rglob("entropy/*")))
    assert run(sweep, "--out", tmp_path, "--remeasure") == 0
    rows = read(tmp_path / "sensitivity.csv")
    assert {(row["choice"], row["setting"], row["is_default"]) for row in rows} == {
        ("grid", "8", "true"),
        ("grid", "16", "false"),
        ("level", "-3.0", "false"),
    }
    assert len(list(sweep.rglob("entropy/*"))) == maps + 2 * 3 * 2  # two choices, three networks, two seeds


def rewritten(path, **changed):
    """The file of a sweep, with other values."""
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, **changed}, sort_keys=False))


@pytest.mark.slow  # counted several times
def test_rows_rest_on_the_sweep_as_it_is_now_and_on_what_is_still_in_it(sweep, tmp_path, read, monkeypatch):
    shutil.copytree(sweep, tmp_path / "sweep")
    home, out = tmp_path / "sweep", tmp_path / "out"
    these(monkeypatch, ("margin", "0.2"), ("margin", "0.3"))
    assert run(home, "--out", out) == 0
    first = read(out / "sensitivity.csv")
    assert len({row["digest"] for row in first}) == 2
    none = ("model", "gone"), ("choice", "gone"), ("digest", "")
    others = [{**first[0], column: value} for column, value in none]
    with (out / "sensitivity.csv").open("a", newline="") as file:
        csv.DictWriter(file, list(first[0])).writerows(others)
    assert run(home, "--out", out) == 0
    assert read(out / "sensitivity.csv") == first
    rewritten(home / "sweep.yaml", seeds=[1])
    assert run(home, "--out", out) == 0
    alone = read(out / "sensitivity.csv")
    assert len(alone) == len(first) and {row["seeds"] for row in alone} == {"1"}
    assert not {row["digest"] for row in alone} & {row["digest"] for row in first}
    assert {row["choices"] for row in read(out / "conclusions.csv")} == {"1"}


@pytest.mark.slow  # counted twice
def test_with_nothing_left_of_them_the_tables_go(sweep, tmp_path, monkeypatch, capsys):
    these(monkeypatch, ("margin", "0.2"))
    assert run(sweep, "--out", tmp_path) == 0
    monkeypatch.setattr(sensitivity, "CHOICES", [])
    assert run(sweep, "--out", tmp_path) == 0
    assert "rows dropped: what they rest on has changed, or is gone." in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_used_is_said_in_one_sentence_and_nothing_is_written(sweep, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun").mkdir()
    shutil.copy(sweep / "sweep.yaml", tmp_path / "begun")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "sensitivity.csv").write_bytes(b"\xff")
    out = tmp_path / "out"
    for arguments, said in (
        ((tmp_path / "empty", "--out", out), "cannot be read as a config"),
        ((tmp_path / "begun", "--out", out), "is finished; run kdprobe sweep first"),
        ((sweep, "--out", out, "--layer", "fc9"), "is called fc9; there is: two, small, fc1."),
        ((sweep, "--out", tmp_path / "bad"), "cannot be read as a table"),
    ):
        assert run(*arguments) == 2
        told = capsys.readouterr()
        assert said in told.err and told.err.count("\n") == 1 and told.out == ""
    assert not out.exists()


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_a_preset_is_recognised_in_a_sweep_that_has_it(preset):
    base = {"preset": preset, "data": {"name": "cluttered_digits"}}
    config = SweepConfig(data={"a": {}}, models={"b": {"model": "resnet20"}}, base=base).experiment(
        "a", "b", 0
    )
    own, other = (
        Choice("preset", name, preset=name) for name in (preset, "paper released".replace(preset, "").strip())
    )
    assert own.is_default(config) and not other.is_default(config)
    filters = {c.setting: c.is_default(config) for c in CHOICES if c.name == "filter"}
    assert filters == {"none": preset == "paper", "released": preset == "released"}


def test_a_preset_is_no_default_where_the_sweep_has_one_setting_otherwise():
    base = {"preset": "paper", "measure": {"margin": 0.35}}
    config = SweepConfig(data={"a": {}}, models={"b": {}}, base=base).experiment("a", "b", 0)
    assert not Choice("preset", "paper", preset="paper").is_default(config)


def test_what_the_sweeps_own_preset_filled_in_goes_before_another_one():
    base = {"preset": "released"}
    config = SweepConfig(data={"a": {}}, models={"b": {}}, base=base).experiment("a", "b", 0)
    measure = Choice("preset", "paper", preset="paper").applied(config).measure
    assert (measure.sample_filter, measure.empty, measure.weights) == ("none", "skip", "dependent")


def test_the_filter_looks_from_epoch_1_on_unless_the_sweep_says_otherwise():
    released = next(c for c in CHOICES if (c.name, c.setting) == ("filter", "released"))
    assert released.applied(ExperimentConfig()).measure.filter_from_epoch == 1
    own = ExperimentConfig(measure=MeasureConfig(sample_filter="released", filter_from_epoch=7))
    assert released.applied(own).measure.filter_from_epoch == 7


@pytest.mark.parametrize("own", PROTOCOLS.values(), ids=PROTOCOLS)
def test_levels_are_those_of_the_sweeps_own_protocol(own):
    config = ExperimentConfig(measure=MeasureConfig(protocol=own.name))
    levels = [c for c in CHOICES if c.name == "level"]
    assert [c.setting for c in levels] == ["-2.8", "-3.0", "-2.6"]
    for choice in levels:
        found = find_protocol(choice.applied(config).measure.protocol)
        assert (found.report, str(found.target_entropy)) == ("target_entropy", choice.setting)
        same = {"name": own.name, "report": own.report, "target_entropy": own.target_entropy}
        assert dataclasses.replace(found, **same) == own
    assert [c.is_default(config) for c in levels] == [own.report == "target_entropy", False, False]


@pytest.mark.slow  # a sweep is read
def test_a_rule_by_which_no_image_is_left_is_said(sweep):
    (group,) = sensitivity.groups_of(sweep)
    counts = sensitivity.Counts(group.planned, group.layer)
    whole = Choice("grid", "1", {"grid": 1}, measured=True)
    counts._read = lambda place, _config, _measured: counts._known[place]
    for place in range(2):
        counts._known[place] = sensitivity.Counts._read(counts, place, counts.configs[place], False)
    with pytest.raises(InputError, match="has both foreground and background among its 1 x 1 cells"):
        counts.under(whole)


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

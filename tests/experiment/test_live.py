"""The live probe in `kdprobe run`: who is looked at, that nothing else changes, and that it goes on after a kill."""

import dataclasses
import json
from pathlib import Path

import pytest
from experiment.quick import SMALL, changed, quietly

from kdprobe.errors import ConfigError
from kdprobe.experiment import train_experiment
from kdprobe.experiment.ahead import ahead
from kdprobe.experiment.config import LiveConfig
from kdprobe.experiment.live import live_seconds, looks
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import build_empty, load_material
from kdprobe.live import read_lines
from kdprobe.storage import SnapshotStore, read_jsonl
from kdprobe.training.resume import Resume

#: a student of two stages
LIT = changed(SMALL, live=LiveConfig())
CONFIG = changed(LIT, students=["feature"])


@pytest.fixture(scope="module")
def lit(tmp_path_factory, runs_untried):
    """A run with the live probe, and what it said."""
    folder = tmp_path_factory.mktemp("lit")
    return folder, quietly(CONFIG, folder)[1]


def weights(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("snapshots/*.h5")}


def observed(folder: Path) -> dict[str, list[dict]]:
    """The lines of the live probe without times."""
    return {
        name: [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
        for name, lines in read_lines(folder).items()
    }


def test_every_measured_network_is_looked_at_after_every_epoch(lit):
    folder, said = lit
    lines = read_lines(folder)
    assert {name: [line["epoch"] for line in found] for name, found in lines.items()} == {
        "teacher": [0, 1, 2],
        "baseline": [0, 1, 2],
        "student-feature": [0, 1, 2, 3],
    }
    assert [line["stage"] for line in lines["student-feature"]] == [0, 0, 0, 1]
    steps = {
        line["epoch"]: line["step"] for line in read_jsonl(folder / "networks/student-feature/metrics.jsonl")
    }
    assert [line["step"] for line in lines["student-feature"]] == [*steps.values()]
    assert {line["images"] for found in lines.values() for line in found} == {3}
    page = (folder / "live.html").read_text()
    assert "The training is done." in page and "<noscript><meta" not in page
    assert all(f"cells of {name} after" in page for name in lines)
    assert [line for line in said if line.startswith("Live: ")] == [
        f"Live: {folder / 'live.html'} (in the terminal: kdprobe watch {folder})."
    ]


def test_nothing_else_changes(lit, tmp_path):
    folder, _ = lit
    dark = changed(CONFIG, live=LiveConfig(images=0))
    _, said = quietly(dark, tmp_path)
    assert weights(tmp_path) == weights(folder) and len(weights(folder)) == 10
    assert (tmp_path / "comparison.json").read_bytes() == (folder / "comparison.json").read_bytes()
    assert not (tmp_path / "live.html").exists() and not any(read_lines(tmp_path).values())
    assert not any("Live" in line for line in said)


def test_another_live_setting_trains_nothing_anew(lit):
    folder, _ = lit
    before, page = weights(folder), (folder / "live.html").read_bytes()
    _, said = quietly(changed(CONFIG, live={"images": 2, "every_n_epochs": 2}), folder)
    assert sum("trained before" in line for line in said) == 3
    assert weights(folder) == before and (folder / "live.html").read_bytes() == page


class Killed(BaseException):
    """Not to be caught by anything that goes on."""


def stopped(patch, config, folder, network: str, epoch: int) -> None:
    """A run that ends right after `network` has noted its epoch."""
    noted = Resume.save

    def note(resume, point):
        noted(resume, point)
        if (resume.store.folder.name, point.epoch) == (network, epoch):
            raise Killed

    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(Resume, "save", note)
        with pytest.raises(Killed):
            train_experiment(config, folder, say=lambda _: None, show_progress=False)


@pytest.mark.parametrize(  # inside a stage, at its end, at the end of all
    "epoch", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
def test_after_a_kill_the_curves_go_on_as_if_nothing_had_been(lit, tmp_path, monkeypatch, epoch):
    stopped(monkeypatch, CONFIG, tmp_path, "student-feature", epoch)
    assert [line["epoch"] for line in observed(tmp_path)["student-feature"]] == [*range(epoch + 1)]
    train_experiment(CONFIG, tmp_path, say=lambda _: None, show_progress=False)
    assert observed(tmp_path) == observed(lit[0])
    assert weights(tmp_path) == weights(lit[0])
    assert "The training is done." in (tmp_path / "live.html").read_text()


def test_lines_of_epochs_that_are_trained_again_make_way(lit, tmp_path, monkeypatch):
    stopped(monkeypatch, CONFIG, tmp_path, "baseline", 1)
    log = tmp_path / "networks" / "baseline" / "metrics.jsonl"
    later = {**read_lines(tmp_path)["baseline"][1], "epoch": 2, "weight_path": 99.0}
    with log.open("a") as file:
        file.write(json.dumps(later) + "\n" + '{"epoch": 2, "prob')
    train_experiment(CONFIG, tmp_path, say=lambda _: None, show_progress=False)
    assert observed(tmp_path) == observed(lit[0])


@pytest.mark.parametrize("live", [LiveConfig(images=2), LiveConfig(images=0)])
def test_live_settings_may_change_while_a_training_is_interrupted(lit, tmp_path, monkeypatch, live):
    stopped(monkeypatch, CONFIG, tmp_path, "baseline", 1)
    other = dataclasses.replace(CONFIG, live=live)
    if live.images:
        with pytest.warns(UserWarning, match="holds nothing of the live probe of baseline"):
            train_experiment(other, tmp_path, say=lambda _: None, show_progress=False)
        found = observed(tmp_path)
        assert [(line["epoch"], line["images"]) for line in found["baseline"]] == [(1, 2), (2, 2)]
        assert len(found["teacher"]) == 3
    else:
        train_experiment(other, tmp_path, say=lambda _: None, show_progress=False)
        assert [line["epoch"] for line in observed(tmp_path)["baseline"]] == [0, 1]
    assert weights(tmp_path) == weights(lit[0])


def test_a_teacher_without_the_layer_is_not_looked_at(tmp_path, runs_untried):
    config = changed(
        LIT, teacher={"model": "resnet8x4", "epochs": 1}, measure={"layer": "fc1"}, students=["kd"]
    )
    train_experiment(config, tmp_path, say=lambda _: None, show_progress=False)
    lines = read_lines(tmp_path)
    assert lines["teacher"] == [] and len(lines["baseline"]) == len(lines["student-kd"]) == 3


def test_neither_are_assistants_nor_a_teacher_that_is_loaded(tmp_path, runs_untried, lit):
    store = SnapshotStore(lit[0] / "networks" / "teacher" / "snapshots")
    import torch

    torch.save(dict(store.load(store.list()[-1])), tmp_path / "teacher.pt")
    config = changed(LIT, teacher={"weights": str(tmp_path / "teacher.pt")}, students=["takd"])
    train_experiment(config, tmp_path / "out", say=lambda _: None, show_progress=False)
    lines = read_lines(tmp_path / "out")
    assert {name: len(found) for name, found in lines.items()} == {
        "baseline": 3,
        "student-takd": 3,
        "student-takd.assistant": 0,
    }


def test_the_forecast_counts_the_looks(tmp_path, monkeypatch, runs_untried, lit):
    config, material = CONFIG, load_material(CONFIG)
    monkeypatch.setattr("kdprobe.experiment.ahead.live_seconds", lambda *_: 100.0)
    whole = ahead(config, material, members(config, tmp_path), tmp_path)
    assert whole.training_seconds == 100.0 * (3 + 3 + 4)
    done = ahead(config, material, members(config, lit[0]), lit[0])
    assert done.training_seconds == 0.0
    dark = changed(config, live=LiveConfig(images=0))
    assert ahead(dark, material, members(dark, tmp_path), tmp_path).training_seconds == 0.0


@pytest.mark.parametrize(
    ("teacher", "looked_at"),
    [({"model_options": {"fc": 10}}, True), ({"model": "resnet8x4"}, False)],  # the second has no fc1
)
def test_the_forecast_takes_each_network_for_what_it_is(
    tmp_path, monkeypatch, runs_untried, teacher, looked_at
):
    def weights(_config, _material, model):
        return float(sum(each.numel() for each in model.parameters()))

    monkeypatch.setattr("kdprobe.experiment.ahead.live_seconds", weights)
    config = changed(LIT, teacher={**teacher, "epochs": 2}, measure={"layer": "fc1"}, students=["kd"])
    material = load_material(config)
    of_teacher, of_student = (
        weights(0, 0, build_empty(config, material, r)) for r in ("teacher", "baseline")
    )
    told = ahead(config, material, members(config, tmp_path), tmp_path).training_seconds
    assert told == looked_at * 3 * of_teacher + 2 * 3 * of_student and of_teacher != of_student


def test_looks_are_those_that_are_taken(tmp_path, runs_untried):
    config = changed(LIT, students=["feature"], training={"epochs": 3}, live={"every_n_epochs": 2})
    train_experiment(config, tmp_path, say=lambda _: None, show_progress=False)
    lines = read_lines(tmp_path)
    for member in members(config, tmp_path):
        epochs = [line["epoch"] for line in lines[member.name]]
        assert looks(config, member, None) == len(epochs)
        assert looks(config, member, 2) == sum(epoch > 2 for epoch in epochs)
    assert [line["epoch"] for line in lines["student-feature"]] == [0, 2, 3, 4]


def test_a_look_is_tried_out_and_leaves_the_network_as_it_was():
    from kdprobe.experiment.setup import build

    material = load_material(LIT)
    model = build(LIT, material, "baseline")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert live_seconds(LIT, material, model) > 0
    assert all((value == before[name]).all() for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "setting", [{"images": -1}, {"images": True}, {"every_n_epochs": 0}, {"pictures": 1.5}, {"look_back": 0}]
)
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(ConfigError, match=rf"live\.{next(iter(setting))} must be a whole number"):
        LiveConfig(**setting)


def test_epoch_0_enters_stability_where_the_report_counts_it(tmp_path, runs_untried):
    config = changed(LIT, students=[], measure={"initial": "rho", "margin": 0.01})
    train_experiment(config, tmp_path, say=lambda _: None, show_progress=False)
    first = read_lines(tmp_path)["baseline"][0]
    # The union is the epoch itself, wherever there is anything on the foreground.
    assert first["n_foreground"]["value"] > 0
    assert first["epoch"] == 0 and first["stability_so_far"]["value"] == 1


def test_a_page_that_cannot_be_made_at_the_end_does_not_end_the_run(tmp_path, runs_untried):
    """A log of something else in the folder cannot be read."""
    (tmp_path / "networks" / "stray" / "metrics.jsonl").mkdir(parents=True)
    (tmp_path / "live.html").write_text("of an earlier run")
    config = changed(LIT, students=[])
    with pytest.warns(UserWarning, match="Cannot read .*stray"):
        train_experiment(config, tmp_path, say=lambda _: None, show_progress=False)
    assert all(member.record() is not None for member in members(config, tmp_path))

"""What `kdprobe run` refuses or notices when something in its folder, or around it, is not as it was left."""

import dataclasses
import json
import os
import shutil
import subprocess

import pytest
import torch
from experiment.quick import untried

from kdprobe.cli import main
from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment import (
    ExperimentConfig,
    failed_writes,
    measure_networks,
    report_again,
    run_experiment,
)
from kdprobe.experiment.config import DataConfig, MeasureConfig, ReportConfig, TeacherConfig
from kdprobe.experiment.folders import experiment_folder, read_config
from kdprobe.experiment.lock import sole_run
from kdprobe.experiment.provenance import git_revision
from kdprobe.storage import SnapshotStore, read_json, write_json
from kdprobe.training import TrainingSettings

OBJECTIVE = """
import torch
def distance(student_feature, teacher_feature):
    return {scale} * (student_feature - teacher_feature).flatten(1).square().mean(1)
"""
RECIPE = """
title: My own
paper: none
stages:
  - name: both
    objective: [{{name: "{file}:distance"}}, {{name: cross_entropy}}]
    tap: "{{layer}}"
    teacher: true
    analysed: true
"""


def quietly(config, folder):
    return run_experiment(config, folder, say=lambda _: None, show_progress=False)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Nothing is tried out beforehand, and no figures are drawn: they take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        patch.setattr("kdprobe.experiment.publish.write_report", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory, quick):
    """A finished experiment whose student has an objective of the user's own."""
    home = tmp_path_factory.mktemp("again")
    (home / "mine.py").write_text(OBJECTIVE.format(scale=1.0))
    (home / "mine.yaml").write_text(RECIPE.format(file=home / "mine.py"))
    config = ExperimentConfig(
        data=DataConfig(images_per_class=6, classes=["0", "1"]),
        model_options={"widths": [4, 4, 4], "fc": 6},
        teacher=TeacherConfig(epochs=1),
        students=[str(home / "mine.yaml")],
        training=TrainingSettings(epochs=3, batch_size=4, device="cpu"),
        measure=MeasureConfig(
            images=2, foreground_share=(0.01, 0.9), grid=8, tolerance=None, redraws=2, resamples=10
        ),
        report=ReportConfig(images=1, epochs=2),
    )
    quietly(config, home / "out")
    return config, home / "out"


@pytest.fixture
def copied(finished, tmp_path):
    config, folder = finished
    return config, shutil.copytree(folder, tmp_path / "copy")


def test_comparison_json_acknowledges_the_rest(copied, monkeypatch):
    config, folder = copied
    comparison = folder / "comparison.json"
    found = comparison.read_bytes()

    def failing(*_):
        raise OSError(28, "No space left on device")

    for there in (found, b'{"of": "another report"}'):
        comparison.write_bytes(there)
        with monkeypatch.context() as patch:
            patch.setattr("kdprobe.experiment.publish.write_report", failing)
            with pytest.raises(OSError, match="No space"):
                quietly(config, folder)
        assert comparison.exists() == (there == found)  # what says the same stays true
    quietly(config, folder)
    assert comparison.read_bytes() == found


def test_a_report_written_later_says_by_which_command_the_networks_were_trained(copied, monkeypatch):
    _, folder = copied
    record = read_json(folder / "networks" / "baseline" / "run.json")
    record["provenance"]["command"] = "kdprobe run --seed 0"
    write_json(folder / "networks" / "baseline" / "run.json", record)
    monkeypatch.setattr("sys.argv", ["/bin/kdprobe", "report", "runs/mine"])
    provenance = report_again(folder).provenance
    assert provenance["command"] == "kdprobe report runs/mine"
    assert provenance["trained"]["baseline"]["command"] == "kdprobe run --seed 0"


def test_two_runs_at_once_do_not_get_in_each_others_way(copied):
    config, folder = copied
    with sole_run(folder):
        for second in (lambda: quietly(config, folder), lambda: report_again(folder)):
            with pytest.raises(ConfigError, match=r"Another kdprobe is at work in .*copy; wait"):
                second()
    quietly(config, folder)


def test_the_lock_of_a_killed_run_is_free_and_its_torn_files_go(copied):
    _, folder = copied
    child = os.fork()
    if child == 0:
        with sole_run(folder):
            mark = f"{os.getpid()}-0123abcd.tmp"
            (folder / "networks" / "baseline" / "snapshots" / f".epoch.h5.{mark}").write_bytes(b"torn")
            (folder / f".config.yaml.{mark}").write_bytes(b"torn")
            (folder / f".imported.{mark}" / "snapshots").mkdir(parents=True)
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert len(list(folder.rglob(".*.tmp"))) == 3
    with sole_run(folder):
        assert list(folder.rglob(".*.tmp")) == []


def test_temporary_files_of_others_stay(copied):
    _, folder = copied
    others = [
        folder / f".packed.h5.{os.getppid()}-0123abcd.tmp",
        folder / ".mine.tmp",
        folder / ".epoch.h5.1-ab.tmp",
    ]
    for path in others:
        path.write_bytes(b"of a pack at work, and of somebody else")
    own = (
        folder / f".packed.h5.{os.getpid()}-0123abcd.tmp"
    )  # the killed one had the same number, as in a container
    own.write_bytes(b"torn")
    with sole_run(folder):
        assert all(path.exists() for path in others) and not own.exists()


def test_a_config_that_is_none_is_refused_in_one_sentence(tmp_path):
    for content, words in (
        (b"seed: 1\nmodel: caf\xe9\n", "cannot be read as a config"),
        (b"students: 5\n", "students is 5"),
        (b"students: [5]\n", "students is"),
        (b"seed: many\n", "seed is 'many'"),
        (b"measure: {foreground_share: [0.1]}\n", "foreground_share is"),
        (b"measure: 5\n", "expected settings by name"),
        (b"- seed\n", "expected settings by name"),
        (b"", "expected settings by name"),
        (b"5: 5\n", "unknown setting 5"),
    ):
        (tmp_path / "config.yaml").write_bytes(content)
        for question in (read_config, report_again):
            with pytest.raises(ConfigError, match=words) as caught:
                question(tmp_path)
            assert "\n" not in str(caught.value)


def test_snapshots_of_another_model_get_no_run_json(finished, tmp_path):
    config, _ = finished
    SnapshotStore(tmp_path / "own" / "snapshots").save({"w": torch.ones(2)}, epoch=0, step=0)
    with pytest.raises(SnapshotError, match=r"epoch-00000.* does not fit"):
        measure_networks(tmp_path / "own", config, show_progress=False)
    assert not (tmp_path / "own" / "run.json").exists()


def test_a_teacher_that_is_gone_is_missed_before_anything_is_trained(copied):
    config, folder = copied
    shutil.rmtree(folder / "networks" / "teacher")
    with pytest.raises(ConfigError, match=r"teacher holds no finished network.*student-mine"):
        quietly(config, folder)
    assert not (folder / "networks" / "teacher").exists()


def test_a_changed_file_of_ones_own_is_noticed(finished):
    config, folder = finished
    mine = folder.parent / "mine.py"
    before = mine.read_text()
    mine.write_text(OBJECTIVE.format(scale=2.0))
    try:
        with pytest.raises(ConfigError, match=r"student-mine holds .* \(files differ\)"):
            quietly(config, folder)
    finally:
        mine.write_text(before)
    quietly(config, folder)


def test_what_is_measured_must_be_what_was_trained(finished):
    config, folder = finished
    other = dataclasses.replace(config, data=dataclasses.replace(config.data, images_per_class=7))
    with pytest.raises(
        ConfigError, match=r"trained with other settings than asked for now \(data, images_sha256"
    ):
        measure_networks(folder / "networks" / "baseline", other, show_progress=False)
    for changed in ({"layer": "conv"}, {"margin": 0.1}):
        measure = dataclasses.replace(config.measure, **changed)
        measure_networks(
            folder / "networks" / "baseline",
            dataclasses.replace(config, measure=measure),
            show_progress=False,
        )


def test_an_interrupted_network_is_not_mixed_with_other_settings(copied, monkeypatch):
    config, folder = copied
    shutil.rmtree(folder / "networks")

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kdprobe.experiment.train_member.write_json", stopped)
        with pytest.raises(KeyboardInterrupt):
            quietly(config, folder)
    faster = dataclasses.replace(config.training, learning_rate=0.5)
    before = sorted(folder.rglob("*"))
    with pytest.raises(
        ConfigError, match=r"teacher holds a training that was interrupted after epoch 1 .*training"
    ):
        quietly(dataclasses.replace(config, training=faster), folder)
    assert sorted(folder.rglob("*")) == before
    quietly(config, folder)
    assert not list(folder.rglob("resume*"))


def test_snapshots_that_could_not_be_written_are_counted_and_said(copied, monkeypatch):
    config, folder = copied
    shutil.rmtree(folder / "networks" / "baseline")
    save = SnapshotStore.save

    def full(self, model, *, epoch, **numbers):
        if "baseline" in str(self.folder) and epoch == 2:
            raise SnapshotError("Cannot write it: disk full.") from OSError(28, "disk full")
        return save(self, model, epoch=epoch, **numbers)

    said = []
    with monkeypatch.context() as patch:
        patch.setattr(SnapshotStore, "save", full)
        with pytest.warns(UserWarning, match="disk full"):
            summary = run_experiment(config, folder, say=said.append, show_progress=False)
    assert any(
        line.startswith("baseline: trained") and "1 of its snapshots could not" in line for line in said
    )
    record = read_json(folder / "networks" / "baseline" / "run.json")
    assert (record["failed_snapshots"], record["epochs_not_kept"]) == (1, [2])
    assert failed_writes(config, folder) == 1
    networks = {network.name: network for network in summary.networks}
    assert networks["baseline"].epochs == (0, 1, 3) and networks["student-mine"].epochs == (0, 1, 2, 3)
    assert not any(c.metric.startswith(("learning", "stability")) for c in summary.comparisons)
    assert any(
        note.startswith("baseline: of epochs 0 ... 3 the weights of 1 were not kept (1 could not be written)")
        and "over the 2 kept after epoch 0 (1, 3)" in note
        for note in summary.notes
    )
    again = []
    run_experiment(config, folder, say=again.append, show_progress=False)
    assert any("trained before" in line and "1 of its snapshots" in line for line in again)


def test_the_command_line_says_so_and_ends_with_3(finished, tmp_path, monkeypatch, capsys):
    _, folder = finished
    summary = report_again(folder)
    monkeypatch.setattr("kdprobe.cli.commands.run_experiment", lambda *_: summary)
    for failed, code in ((0, 0), (2, 3)):
        monkeypatch.setattr("kdprobe.cli.commands.failed_writes", lambda *_, count=failed: count)
        assert main(["run", "--out", str(tmp_path)]) == code
        assert (
            "2 snapshots, resume points or log lines could not be written" in capsys.readouterr().out
        ) == bool(failed)


def test_where_only_some_epochs_are_kept_the_same_ones_are_compared(finished, tmp_path):
    config, _ = finished
    some = dataclasses.replace(config, training=dataclasses.replace(config.training, snapshots=2))
    summary = quietly(some, tmp_path / "some")
    assert {network.epochs for network in summary.networks if network.name != "teacher"} == {(0, 2, 3)}
    assert any(c.metric == "stability" for c in summary.comparisons)
    assert failed_writes(some, tmp_path / "some") == 0
    assert all("could not be written" not in note for note in summary.notes)
    assert sum("were not kept: M, D and rho" in note for note in summary.notes) == 2
    path = tmp_path / "some" / "networks" / "baseline" / "snapshots"
    next(path.glob("epoch-00002*")).unlink()
    with pytest.raises(SnapshotError, match="No valid snapshot of epoch 2"):
        quietly(some, tmp_path / "some")


def test_snapshots_of_ones_own_that_begin_late_or_have_gaps(finished, tmp_path):
    config, folder = finished
    source = folder / "networks" / "baseline" / "snapshots"
    own = tmp_path / "project" / "runs" / "own"
    (own / "snapshots").mkdir(parents=True)
    (tmp_path / "project" / "config.yaml").write_text("something: else")
    (own / "config.yaml").write_text("of: another program")
    for epoch in (1, 3):
        [path] = source.glob(f"epoch-{epoch:05d}*")
        shutil.copy(path, own / "snapshots")
    assert experiment_folder(own) is None and experiment_folder(own / "snapshots") is None
    summary = measure_networks(own, config, show_progress=False)
    [network] = summary.networks
    assert network.epochs == (1, 3) and network.path[0] == 0 < network.path[1]
    assert any("first snapshot is of epoch 1, so D starts there" in note for note in summary.notes)
    assert any("of epochs 1 ... 3 the weights of 1 were not kept" in note for note in summary.notes)


def test_the_way_back_to_an_experiment(finished):
    _, folder = finished
    network = folder / "networks" / "baseline"
    for path in (folder, network, network / "snapshots"):
        assert experiment_folder(path) == folder.resolve()
    assert experiment_folder(folder / "tables") is None
    assert experiment_folder(folder.parent) is None


def test_the_revision_is_that_of_kdprobe_and_of_no_other_repository(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    commit = [
        "git",
        "-C",
        tmp_path,
        "-c",
        "user.name=n",
        "-c",
        "user.email=e",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "m",
    ]
    subprocess.run(commit, check=True)
    copies = [tmp_path / "kdprobe", tmp_path / "lib" / "kdprobe"]
    for copy in copies:
        copy.mkdir(parents=True)
        (copy / "__init__.py").touch()
        monkeypatch.setattr("kdprobe.__file__", str(copy / "__init__.py"))
        assert git_revision() is None
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = another\n")
    monkeypatch.setattr("kdprobe.__file__", str(copies[0] / "__init__.py"))
    assert git_revision() is None
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = kdprobe\n")
    assert len(git_revision()) >= 12
    monkeypatch.setattr("kdprobe.__file__", str(copies[1] / "__init__.py"))
    assert git_revision() is None


def test_run_json_says_what_was_kept(finished):
    _, folder = finished
    for path in (folder / "networks").glob("*/run.json"):
        record = json.loads(path.read_text())
        assert record["epochs_not_kept"] == [] and record["failed_snapshots"] == 0

"""`kdprobe run` on a disk that fills up or fails: what was trained is not lost, and what is not its own not touched."""

import dataclasses
import errno
import os

import pytest
import torch
from experiment.quick import untried
from experiment.test_killed import TINY, found
from failing_disk import unreadable

from kdprobe.errors import SnapshotError
from kdprobe.experiment import failed_writes, run_experiment
from kdprobe.experiment.ahead import ahead
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import build, load_material
from kdprobe.storage import SnapshotStore, read_json, snapshot_bytes
from kdprobe.training import Resume
from kdprobe.training.lightning_run import fit

CONFIG = dataclasses.replace(TINY, students=[], teacher=dataclasses.replace(TINY.teacher, epochs=4))
SNAPSHOTS = "networks/teacher/snapshots"


class Stopped(Exception):
    pass


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Nothing is tried out beforehand, and no figures are drawn."""
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        patch.setattr("kdprobe.experiment.ahead.seconds_per_epoch", lambda *_: 10.0)
        patch.setattr("kdprobe.experiment.publish.write_report", lambda *_: None)
        yield


def quietly(folder):
    return run_experiment(CONFIG, folder, say=lambda _: None, show_progress=False)


def interrupted(folder, epoch):
    """A run that is stopped once the teacher's resume point of `epoch` is noted."""
    noted = Resume.save

    def save(self, point):
        noted(self, point)
        if point.epoch == epoch:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Resume, "save", save)
        with pytest.raises(Stopped):
            quietly(folder)


def refusing(patch, *parts):
    """No file whose path holds all of `parts` can be made."""
    opened = os.open

    def full(path, flags, *mode, **options):
        if flags & os.O_CREAT and all(part in str(path) for part in parts):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, flags, *mode, **options)

    patch.setattr(os, "open", full)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, quick):
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    quietly(folder)
    return found(folder)


def test_without_room_for_the_last_weights_it_stops_and_goes_on_later(tmp_path, monkeypatch, undisturbed):
    for _ in range(2):
        with monkeypatch.context() as patch:
            refusing(patch, "teacher", "epoch-00004")
            with (
                pytest.warns(UserWarning, match="epoch-00004"),
                pytest.raises(
                    SnapshotError, match=r"teacher after its last epoch 4 could not be written.*run again"
                ),
            ):
                quietly(tmp_path / "out")
        network = tmp_path / "out" / "networks" / "teacher"
        assert (network / "resume.ckpt").exists() and not (network / "run.json").exists()

    def nothing_of_the_teacher(module, epochs, *rest):
        assert epochs != CONFIG.teacher.epochs
        return fit(module, epochs, *rest)

    monkeypatch.setattr("kdprobe.training.train.fit", nothing_of_the_teacher)
    quietly(tmp_path / "out")
    assert found(tmp_path / "out") == undisturbed


def test_without_room_for_the_first_weights_it_stops_at_once(tmp_path, monkeypatch, undisturbed):
    with monkeypatch.context() as patch:
        refusing(patch, "baseline", "epoch-00000")
        with (
            pytest.warns(UserWarning),
            pytest.raises(SnapshotError, match=r"start of the stage .* free the disk"),
        ):
            quietly(tmp_path / "out")
    assert not list((tmp_path / "out" / "networks" / "baseline").rglob("epoch*"))
    quietly(tmp_path / "out")
    assert found(tmp_path / "out") == undisturbed


def test_a_damaged_early_snapshot_of_an_unfinished_training_stops_the_run(tmp_path, undisturbed):
    folder = tmp_path / "out"
    interrupted(folder, 3)
    early = sorted((folder / SNAPSHOTS).glob("*.h5"))[1]
    sound = early.read_bytes()
    early.write_bytes(sound[:3000] + bytes([sound[3000] ^ 1]) + sound[3001:])
    before = found(folder)
    with pytest.raises(
        SnapshotError, match=r"after epoch 2: .*epoch-00001.* damaged.*Nothing was removed"
    ) as caught:
        quietly(folder)
    assert "\n" not in str(caught.value) and found(folder) == before
    early.write_bytes(sound)
    quietly(folder)
    assert found(folder) == undisturbed


def test_a_disk_that_fails_to_read_once_stops_the_run_and_costs_nothing(tmp_path, monkeypatch, undisturbed):
    folder = tmp_path / "out"
    interrupted(folder, 3)
    before = found(folder)
    with monkeypatch.context() as patch:
        unreadable(patch, "epoch-00002")
        with pytest.raises(SnapshotError, match=r"Cannot read .*Input/output error"):
            quietly(folder)
    assert found(folder) == before
    quietly(folder)
    assert found(folder) == undisturbed


def test_files_of_others_among_the_snapshots_stay(tmp_path, undisturbed):
    folder = tmp_path / "out"
    others = [folder / SNAPSHOTS / name for name in ("notes.h5", "._epoch-00001_step-000000003.h5")]
    for epoch in (1, 3):
        interrupted(folder, epoch)
        for path in others:
            path.write_bytes(b"mine")
    quietly(folder)
    for path in others:
        assert path.read_bytes() == b"mine"
        path.unlink()
    assert found(folder) == undisturbed


def test_snapshots_that_no_run_has_begun_are_refused_and_stay(tmp_path):
    model = build(CONFIG, load_material(CONFIG), "teacher")
    untrained = {name: value.clone() for name, value in model.state_dict().items()}
    for number, states in enumerate(
        ([(7, {"w": torch.ones(2)})], [(0, {"w": torch.ones(2)})], [(0, untrained), (2, untrained)])
    ):
        folder = tmp_path / str(number)
        for epoch, state in states:
            SnapshotStore(folder / SNAPSHOTS).save(state, epoch=epoch, step=epoch)
        before = found(folder)
        with pytest.raises(
            SnapshotError, match=r"teacher/snapshots holds snapshots, but not of this training.*move"
        ):
            quietly(folder)
        assert {name: kept for name, kept in found(folder).items() if "lock" not in name} == before


def test_what_a_run_killed_in_its_first_epoch_left_makes_way(tmp_path, undisturbed):
    model = build(CONFIG, load_material(CONFIG), "teacher")
    SnapshotStore(tmp_path / "out" / SNAPSHOTS).save(model, epoch=0, step=0)
    SnapshotStore(tmp_path / "out" / SNAPSHOTS).save(model, epoch=1, step=3)
    (tmp_path / "out" / "networks" / "teacher" / "metrics.jsonl").write_text('{"epoch": 0}\n')
    quietly(tmp_path / "out")
    assert found(tmp_path / "out") == undisturbed


def test_notes_that_could_not_be_written_are_counted_and_said(tmp_path, monkeypatch):
    said = []
    with monkeypatch.context() as patch:
        refusing(patch, "teacher", "resume.ckpt")
        with pytest.warns(UserWarning, match=r"resume\.ckpt"):
            summary = run_experiment(CONFIG, tmp_path / "out", say=said.append, show_progress=False)
    assert failed_writes(CONFIG, tmp_path / "out") == 4
    record = read_json(tmp_path / "out" / "networks" / "teacher" / "run.json")
    assert (record["failed_snapshots"], record["failed_notes"]) == (0, 4)
    assert any("teacher: trained" in line and "4 of its log lines and resume points" in line for line in said)
    assert any(note.startswith("teacher: 4 log lines and resume points") for note in summary.notes)


def test_a_failure_outside_the_analysed_stage_is_in_the_notes_too(tmp_path, monkeypatch):
    training = dataclasses.replace(CONFIG.training, epochs=1, classifier_epochs=2)
    config = dataclasses.replace(CONFIG, students=["feature"], training=training)
    with monkeypatch.context() as patch:
        refusing(patch, "student-feature", "epoch-00002")
        with pytest.warns(UserWarning, match="epoch-00002"):
            summary = run_experiment(config, tmp_path / "out", say=lambda _: None, show_progress=False)
    assert failed_writes(config, tmp_path / "out") == 1
    said = "student-feature: 1 of its snapshots outside the analysed stage could not be written."
    assert said in summary.notes


def test_what_is_trained_already_is_left_out_of_theahead(tmp_path):
    folder, material = tmp_path / "out", load_material(CONFIG)
    networks = members(CONFIG, folder)
    fresh = ahead(CONFIG, material, networks, folder)
    interrupted(folder, 3)
    later = ahead(CONFIG, material, networks, folder)
    one = snapshot_bytes(build(CONFIG, material, "teacher"))
    points = sum(path.stat().st_size for path in (folder / "networks" / "teacher").glob("resume*"))
    assert fresh.disk_bytes - later.disk_bytes == 4 * one + points
    assert fresh.training_seconds - later.training_seconds == pytest.approx(30.0)

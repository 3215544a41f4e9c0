"""Learning rates of students and baseline, and what the report says of them."""

from dataclasses import replace

import pytest
import torch
from experiment.test_run import TINY, quietly

from kdprobe.experiment import compare_networks
from kdprobe.experiment.members import members
from kdprobe.experiment.specification import member_settings
from kdprobe.storage import SnapshotStore, read_json, write_json


def notes_of(summary, student):
    return [note for note in summary.notes if note.startswith(f"{student} and baseline ")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schedules") / "out"
    other = replace(TINY, training=replace(TINY.training, student_learning_rate=0.01, schedule="log_decade"))
    return folder, other, quietly(other, folder)


def test_the_students_alone_have_the_rate_of_their_own(finished, tmp_path):
    folder, config, _ = finished
    rates = {m.name: member_settings(config, m).learning_rate for m in members(config, folder)}
    assert rates == {"teacher": 0.003, "baseline": 0.003, "student-kd": 0.01, "student-feature": 0.01}
    matched = replace(config, training=replace(config.training, student_learning_rate=None))
    assert {member_settings(matched, m).learning_rate for m in members(matched, folder)} == {0.003}
    quietly(replace(matched, students=["kd"]), tmp_path / "out")
    last = {}
    for place in (folder, tmp_path / "out"):
        for name in ("baseline", "student-kd"):
            store = SnapshotStore(place / "networks" / name / "snapshots")
            last[place, name] = store.load(store.list()[-1])["classifier.fc1.weight"]
    assert torch.equal(last[folder, "baseline"], last[tmp_path / "out", "baseline"])
    assert not torch.equal(last[folder, "student-kd"], last[tmp_path / "out", "student-kd"])


def test_the_report_says_what_differs(finished):
    folder, _, summary = finished
    for student in ("student-kd", "student-feature"):
        [note] = notes_of(summary, student)
        assert "did not have matched schedules (learning rate 0.01 against 0.003)" in note
    assert "did not have matched schedules" in (folder / "report" / "index.html").read_text()


def test_the_report_says_that_they_were_matched(tmp_path):
    summary = quietly(replace(TINY, students=["kd"]), tmp_path / "out")
    [note] = notes_of(summary, "student-kd")
    assert "had matched schedules (optimiser adamw, learning rate 0.003, schedule one_cycle" in note
    assert "batch size 8" in note and "epochs 2)" in note

    networks, record = (
        tmp_path / "out" / "networks",
        tmp_path / "out" / "networks" / "student-kd" / "run.json",
    )
    written = read_json(record)
    write_json(record, {**written, "specification": {}})
    summary = compare_networks(networks / "student-kd", networks / "baseline", TINY, show_progress=False)
    assert any(
        "Whether student-kd and baseline had matched schedules is not known" in n for n in summary.notes
    )
    write_json(record, {**written, "stages": [{**written["stages"][0], "last_epoch": 1}]})
    summary = compare_networks(networks / "student-kd", networks / "baseline", TINY, show_progress=False)
    assert "(epochs 1 against 2)" in notes_of(summary, "student-kd")[0]

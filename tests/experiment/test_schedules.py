"""Learning rates of students and baseline, and what the report says of them."""

from dataclasses import replace

import pytest
import torch
from experiment.quick import untried
from experiment.test_run import TINY, quietly

from kdprobe.experiment import compare_networks
from kdprobe.experiment.measuring import Measurable
from kdprobe.experiment.members import Member, analysed_stage, member_settings, members
from kdprobe.experiment.schedules import schedule_notes
from kdprobe.storage import SnapshotStore, read_json, write_json


def found_of(config, folder, name):
    """A network of a finished experiment as the notes see it."""
    member = next(m for m in members(config, folder) if m.name == name)
    stage = analysed_stage(member)
    return Measurable(member, None, None, stage, stage)


def notes_of(summary, student):
    return [note for note in summary.notes if note.startswith(f"{student} and baseline ")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schedules") / "out"
    other = replace(TINY, training=replace(TINY.training, student_learning_rate=0.01, schedule="log_decade"))
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        return folder, other, quietly(other, folder)


@pytest.mark.slow
def test_the_students_alone_have_the_rate_of_their_own(finished, tmp_path):
    folder, config, _ = finished
    rates = {m.name: member_settings(config, m).learning_rate for m in members(config, folder)}
    assert rates == {"teacher": 0.003, "baseline": 0.003, "student-kd": 0.01, "student-feature": 0.01}
    matched = replace(config, training=replace(config.training, student_learning_rate=None))
    assert {member_settings(matched, m).learning_rate for m in members(matched, folder)} == {0.003}
    taught = replace(config, teacher=replace(config.teacher, learning_rate=0.5))
    assert [member_settings(taught, m).learning_rate for m in members(taught, folder)] == [
        0.5,
        0.003,
        0.01,
        0.01,
    ]
    quietly(replace(matched, students=["kd"]), tmp_path / "out")
    last = {}
    for place in (folder, tmp_path / "out"):
        for name in ("baseline", "student-kd"):
            store = SnapshotStore(place / "networks" / name / "snapshots")
            last[place, name] = store.load(store.list()[-1])["classifier.fc1.weight"]
    assert torch.equal(last[folder, "baseline"], last[tmp_path / "out", "baseline"])
    assert not torch.equal(last[folder, "student-kd"], last[tmp_path / "out", "student-kd"])


@pytest.mark.slow  # an experiment of its own
def test_the_report_says_what_differs(finished):
    folder, _, summary = finished
    for student in ("student-kd", "student-feature"):
        [note] = notes_of(summary, student)
        assert "did not have matched schedules (learning rate 0.01 against 0.003)" in note
    assert "did not have matched schedules" in (folder / "report" / "index.html").read_text()


@pytest.mark.slow
def test_the_report_says_that_they_were_matched(tmp_path):
    summary = quietly(replace(TINY, students=["kd"]), tmp_path / "out")
    [note] = notes_of(summary, "student-kd")
    assert "had matched schedules (optimiser adamw, learning rate 0.003, schedule one_cycle" in note
    assert "batch size 8" in note and "epochs 2, optimiser steps 6, seed of initial weights" in note
    assert "momentum" not in note

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
    [note] = notes_of(summary, "student-kd")
    assert "(epochs 1 against 2, optimiser steps 3 against 6): D is" in note
    assert "student_learning_rate" not in note  # the rates agree


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimiser": "sgd"}, "(optimiser adamw against sgd):"),
        ({"learning_rate": 0.5}, "(learning rate 0.003 against 0.5)"),
        ({"schedule": "constant"}, "(schedule log_decade against constant)"),
        ({"weight_decay": 0.5}, "(weight decay 0.01 against 0.5)"),
        ({"batch_size": 7}, "(batch size 8 against 7)"),
        ({"flips": True}, "(flips False against True)"),
        ({"momentum": 0.5}, None),  # adamw has none
        ({"classifier_epochs": 9}, None),
    ],
)
def test_whatever_moves_the_weights_otherwise_is_named(finished, monkeypatch, change, words):
    folder, config, _ = finished
    student, baseline = (found_of(config, folder, name) for name in ("baseline", "baseline"))
    student = replace(student, member=replace(student.member, name="student", role="student"))
    record = baseline.member.record()
    training = record["specification"]["training"]
    other = {**record, "specification": {**record["specification"], "training": {**training, **change}}}
    monkeypatch.setattr(Member, "record", lambda m: other if m.role == "baseline" else record)
    [note] = schedule_notes([student, baseline])
    assert (words in note) if words else "had matched schedules" in note


def test_another_seed_or_another_number_of_steps_is_not_matched(finished, monkeypatch):
    folder, config, _ = finished
    baseline = found_of(config, folder, "baseline")
    student = replace(baseline, member=replace(baseline.member, name="student", role="student"))
    record = baseline.member.record()
    other = {**record, "specification": {**record["specification"], "seed": 1}}
    monkeypatch.setattr(Member, "record", lambda m: other if m.role == "baseline" else record)
    [note] = schedule_notes([student, baseline])
    assert "did not have matched schedules (seed of initial weights and batches 0 against 1)" in note
    monkeypatch.setattr(Member, "record", lambda _: record)
    more = [*baseline.stage[:-1], replace(baseline.stage[-1], step=99)]
    [note] = schedule_notes([student, replace(baseline, stage=more)])
    assert "did not have matched schedules (optimiser steps 6 against 99)" in note

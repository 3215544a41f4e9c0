"""The learning distance over optimiser steps, from training to report; killed runs are in test_killed."""

import shutil
from dataclasses import replace

import pytest
import torch
from experiment.quick import untried
from experiment.test_run import TINY, quietly

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.experiment import measure_networks
from kdprobe.storage import SnapshotStore, read_jsonl

STEPS = replace(
    TINY,
    students=["feature"],
    training=replace(TINY.training, path_length=True),
    measure=replace(TINY.measure, path="steps", weights="layer"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("path") / "out"
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        return folder, quietly(STEPS, folder)


def test_it_is_what_the_training_wrote_down_of_the_layers_matrix(finished):
    folder, summary = finished
    for network in summary.networks:
        lines = read_jsonl(folder / "networks" / network.name / "path_length.jsonl")
        by_epoch = {line["epoch"]: line["path_length"] for line in lines}
        assert network.path == (0.0, *(by_epoch[epoch] for epoch in network.epochs[1:]))
        assert {tuple(line["parameters"]) for line in lines} == {("classifier.fc1.weight",)}
    assert "summed over all optimiser steps" in summary.counting
    assert summary.networks[1].metrics["learning_distance_mean"].value <= summary.networks[1].path[-1]


def test_it_is_longer_than_from_epoch_to_epoch_and_no_shorter_than_the_straight_way(finished):
    folder, summary = finished
    by_epoch = replace(STEPS, measure=replace(STEPS.measure, path="epochs"))
    straight = measure_networks(folder, by_epoch, show_progress=False)
    for steps, epochs in zip(summary.networks, straight.networks, strict=True):
        assert all(long > short for long, short in zip(steps.path[1:], epochs.path[1:], strict=True))
        store = SnapshotStore(folder / "networks" / steps.name / "snapshots")
        first, last = (
            store.load(store.list()[k])["classifier.fc1.weight"].double() for k in (0, len(steps.epochs) - 1)
        )
        assert steps.path[-1] > float((last - first).norm() / first.norm())
    assert "from one kept epoch to the next" in straight.counting


def test_of_a_teacher_measured_at_its_end_alone_it_is_the_whole_way(finished):
    folder, summary = finished
    last = replace(STEPS, measure=replace(STEPS.measure, teacher="last"))
    teacher = measure_networks(folder, last, show_progress=False).networks[0]
    assert teacher.path == summary.networks[0].path[-1:] and teacher.path[0] > 0


def test_other_weights_than_those_followed_are_refused(finished):
    folder, _ = finished
    other = replace(STEPS, measure=replace(STEPS.measure, weights="all"))
    with pytest.raises(
        SnapshotError, match=r"follows classifier\.fc1\.weight, and measure\.weights asks for"
    ):
        measure_networks(folder, other, show_progress=False)


def test_what_cannot_be_counted_is_refused_before_anything_is_measured(finished, tmp_path, monkeypatch):
    folder, _ = finished
    monkeypatch.setattr("kdprobe.experiment.later.measure_all", lambda *_, **__: pytest.fail("measured"))
    late = replace(STEPS, measure=replace(STEPS.measure, sample_filter="released"))
    with pytest.raises(ConfigError, match="from 40 on, and baseline is analysed up to epoch 2"):
        measure_networks(folder, late, show_progress=False)
    shutil.copytree(folder, tmp_path / "out")
    (tmp_path / "out" / "networks" / "baseline" / "path_length.jsonl").unlink()
    with pytest.raises(SnapshotError, match=r"baseline/path_length\.jsonl is missing"):
        measure_networks(tmp_path / "out", STEPS, show_progress=False)


def test_asking_for_steps_that_will_not_be_written_down_is_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match=r"measure\.path steps needs what training\.path_length true"):
        quietly(replace(STEPS, training=TINY.training), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_following_the_weights_does_not_change_them(finished, tmp_path):
    folder, _ = finished
    quietly(replace(TINY, students=[]), tmp_path / "out")
    ours, theirs = (
        SnapshotStore(place / "networks" / "baseline" / "snapshots") for place in (folder, tmp_path / "out")
    )
    for first, second in zip(ours.list(), theirs.list(), strict=True):
        one, other = ours.load(first), theirs.load(second)
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_what_an_earlier_training_left_goes_when_it_begins_anew(finished, tmp_path):
    folder, _ = finished
    left = tmp_path / "out" / "networks" / "baseline" / "path_length.jsonl"
    left.parent.mkdir(parents=True)
    left.write_text('{"epoch": 1, "path_length": 7.0}\n')
    quietly(STEPS, tmp_path / "out")
    assert left.read_bytes() == (folder / "networks" / "baseline" / "path_length.jsonl").read_bytes()

"""Networks that a recipe has trained before its student: where they lie, what is said of them, and how they go on."""

import dataclasses
import json

import pytest
import torch
from experiment.quick import HINT, SMALL, changed, quietly, trained_only, untried
from experiment.test_killed import found as left_in

from kdprobe.errors import ConfigError
from kdprobe.experiment import measure_networks
from kdprobe.experiment.ahead import ahead
from kdprobe.experiment.checks import check_member
from kdprobe.experiment.members import load_final, members
from kdprobe.experiment.setup import build, load_material
from kdprobe.report import read_summary
from kdprobe.storage import SnapshotStore, read_json, snapshot_bytes
from kdprobe.training import Resume

#: one that sees foregrounds alone, one taught by it, peers, a loss with weights of its own, and a route
RECIPE = """
title: All at once
networks:
  - name: seer
    inputs: foreground
    initial: 1
    stages: [{name: labels, objective: [cross_entropy]}]
  - name: heir
    model: teacher
    initial: teacher
    stages: [{name: taught, objective: [kd], teacher: seer, teacher_inputs: foreground}]
stages:
  - name: together
    objective: [cross_entropy, ensemble_kd, {name: kd, weight: 0.5}]
    teacher: [heir, baseline]
    peers: [{name: peer, model: teacher, initial: 5}]
    ensemble: general
    epochs: 2
    analysed: true
  - name: route
    objective: ["hint.py:Hint", kd]
    tap: "{layer}"
    teacher: {network: teacher, anchors: 2, search: greedy, delta: 0.8}
    epochs: 2
"""
NAMES = ["teacher", "baseline", "student-all.seer", "student-all.heir", "student-all"]


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "all.yaml").write_text(RECIPE)
    (folder / "hint.py").write_text(HINT)
    return changed(students=[str(folder / "all.yaml")], teacher={"epochs": 3, "model_options": {"fc": 8}})


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        untried(patch)
        patch.setattr("kdprobe.experiment.ahead.seconds_per_epoch", lambda *_: 10.0)
        yield


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory, quick):
    folder = tmp_path_factory.mktemp("finished") / "out"
    return folder, *quietly(config, folder)


def test_they_are_trained_before_their_student_in_folders_of_their_own(config, finished):
    folder, _, said = finished
    assert [line.partition(":")[0] for line in said if ": trained, " in line] == NAMES
    assert [member.name for member in members(config, folder)] == NAMES
    material = load_material(config)
    widths = {
        member.name: next(
            p.shape[0] for p in load_final(config, material, member).parameters() if p.ndim == 2
        )
        for member in members(config, folder)
    }
    assert widths == dict(zip(NAMES, (8, 6, 6, 8, 6), strict=True))
    record = read_json(folder / "networks" / "student-all.heir" / "run.json")
    assert record["role"] == "assistant" and record["specification"]["initial"] == "teacher"
    untrained = build(config, material, "teacher").state_dict()
    store = members(config, folder)[3].store
    first = store.load(store.list()[0])
    assert all(torch.equal(first[key], untrained[key]) for key in first)


def test_one_that_sees_foregrounds_alone_is_judged_on_them(config, finished):
    folder, _, _ = finished
    material = load_material(config)
    seer = members(config, folder)[2]
    model = load_final(config, material, seer).eval()
    test, right = material.test, 0
    for index in range(len(test)):
        image = test.images[index].clone()
        image[:, ~test.foregrounds[index]] = 0
        right += int(model(image[None]).argmax()) == int(test.labels[index])
    assert seer.record()["accuracy"] == right / len(test)


def test_they_are_not_measured_but_named_with_their_accuracy(config, finished):
    folder, summary, _ = finished
    assert [network.name for network in summary.networks] == ["teacher", "baseline", "student-all"]
    assert [network.name for network in summary.unmeasured] == NAMES[2:4]
    assert "foregrounds alone" in summary.unmeasured[0].note
    assert "foregrounds" not in summary.unmeasured[1].note
    found = read_json(folder / "comparison.json")
    page = (folder / "report" / "index.html").read_text()
    for name in NAMES[2:4]:
        accuracy = read_json(folder / "networks" / name / "run.json")["accuracy"]
        (said,) = (each for each in found["unmeasured"] if each["name"] == name)
        assert said["accuracy"] == accuracy and name not in found["networks"]
        assert not (folder / "networks" / name / "entropy").exists()
        assert name in page
    assert read_summary(folder).unmeasured == summary.unmeasured
    again = measure_networks(folder, config, show_progress=False)
    assert [network.name for network in again.networks] == ["teacher", "baseline", "student-all"]


def test_the_way_that_the_teacher_taught_by_is_said_and_noted(finished):
    folder, summary, said = finished
    sentence = "student-all: its teacher teaches by up to 2 of its 3 kept epochs, found on the way."
    assert sentence in said and sentence in summary.notes
    record = read_json(folder / "networks" / "student-all" / "run.json")
    digests = record["specification"]["teacher_sha256"]
    assert list(digests) == ["baseline", "heir", "teacher, 2 anchors, greedy 0.8"]
    teacher = [s.digest for s in kept_of(folder, "teacher")]
    assert digests["teacher, 2 anchors, greedy 0.8"] == teacher[1:]
    assert digests["heir"] == kept_of(folder, "student-all.heir")[-1].digest
    assert record["specification"]["peers"]["together"]["peer"]["options"]["fc"] == 8


def kept_of(folder, name):
    return SnapshotStore(folder / "networks" / name / "snapshots").list()


def test_they_are_in_theahead(config, tmp_path):
    material, networks = load_material(config), members(config, tmp_path)
    alone = changed(config, students=[])
    whole = ahead(config, material, networks, tmp_path)
    part = ahead(alone, material, members(alone, tmp_path), tmp_path)
    learner, wide = (snapshot_bytes(build(config, material, role)) for role in ("student", "teacher"))
    epochs = SMALL.training.epochs
    snapshots = (epochs + 1) * (learner + wide) + 5 * learner
    assert whole.disk_bytes - part.disk_bytes > snapshots
    # seer 2 epochs; heir 2 with one teacher; together 2 with a peer and two teachers; route 2 with one teacher
    assert whole.training_seconds - part.training_seconds == pytest.approx(
        10 * (2 + 2 * 1.4 + 2 * (2 + 2 * 0.4) + 2 * 1.4)
    )


@pytest.mark.slow  # a run for each place
@pytest.mark.parametrize(
    "network, epoch",
    [
        ("student-all.seer", 1),
        ("student-all.heir", 2),
        ("student-all", 1),
        ("student-all", 2),
        ("student-all", 3),
    ],
)
def test_stopped_in_the_middle_it_goes_on_to_the_same_bytes(config, tmp_path, finished, network, epoch):
    noted, epochs = Resume.save, []

    def save(resume, point):
        noted(resume, point)
        epochs.append((resume.store.folder.name, point.epoch))
        if epochs[-1] == (network, epoch):
            raise Stopped

    folder = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        trained_only(patch)
        patch.setattr(Resume, "save", save)
        with pytest.raises(Stopped):
            quietly(config, folder)
        patch.setattr(
            Resume, "save", lambda r, p: (noted(r, p), epochs.append((r.store.folder.name, p.epoch)))
        )
        quietly(config, folder)
    assert len(epochs) == len(set(epochs))  # nothing was trained twice
    ours, theirs = left_in(folder), left_in(finished[0])
    networks = [name for name in theirs if name.startswith("networks/") and "/entropy/" not in name]
    assert [name for name in ours if name.startswith("networks/")] == networks
    assert [name for name in networks if ours[name] != theirs[name]] == []


def test_students_of_equal_definitions_train_assistants_of_their_own(config, tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(RECIPE.replace('"hint.py:Hint", ', ""))
    both = changed(config, students=[*config.students, str(path)])
    names = [member.name for member in members(both, tmp_path)]
    assert names[2:] == [f"student-{s}{end}" for s in ("all", "other") for end in (".seer", ".heir", "")]
    twice = tmp_path / "all.seer.yaml"
    twice.write_text("title: t\nstages: [{name: labels, objective: [cross_entropy]}]\n")
    with pytest.raises(ConfigError, match=r"Two students are called 'all\.seer'"):
        members(changed(config, students=[*config.students, str(twice)]), tmp_path)


def test_foregrounds_that_are_asked_for_and_not_known_are_refused_beforehand(config, tmp_path):
    material = load_material(config)
    bare = material.test.replaced(foregrounds=None, foreground_kind=None)
    material = dataclasses.replace(material, test=bare)
    teacher, _, seer, heir, _ = members(config, tmp_path)
    check_member(config, material, teacher)
    for member, key in ((seer, "inputs"), (heir, "teacher_inputs")):
        with pytest.raises(
            ConfigError, match=f"{member.name}: .* has {key}: foreground.*test split"
        ) as caught:
            check_member(config, material, member)
        assert "\n" not in str(caught.value)


def test_a_layer_that_an_assistant_does_not_have_is_named_before_anything_is_trained(config, tmp_path):
    path = tmp_path / "imitates.yaml"
    path.write_text(
        json.dumps(
            {
                "title": "t",
                "networks": [
                    {
                        "name": "odd",
                        "model": "resnet8x4",
                        "stages": [
                            {
                                "name": "top",
                                "objective": ["cross_entropy"],
                                "tap": "{layer}",
                                "learns": "above_tap",
                            }
                        ],
                    }
                ],
                "stages": [{"name": "kd", "objective": ["kd"], "teacher": "odd"}],
            }
        )
    )
    with pytest.raises(Exception, match=r"no layer 'fc1'") as caught:
        quietly(changed(students=[str(path)]), tmp_path / "out")
    assert "kdprobe" in type(caught.value).__module__ and not (tmp_path / "out").exists()

"""A teacher of another architecture: trained, told apart, measured where it has the layer, else named."""

import pytest
import torch
from experiment.quick import SMALL, changed, quietly, trained_only

from kdprobe.errors import ConfigError
from kdprobe.experiment import measure_networks, read_config, report_again
from kdprobe.experiment.architecture import architecture
from kdprobe.experiment.members import load_final, members
from kdprobe.experiment.setup import build, load_material
from kdprobe.experiment.unmeasured import differs
from kdprobe.recipes import Network, load_recipe
from kdprobe.report import read_summary
from kdprobe.storage import SnapshotStore, read_json

#: without a layer called fc1
FOREIGN = """
from torch import nn
def wide(num_classes, image_shape, width=5):
    channels, side, _ = image_shape
    return nn.Sequential(nn.Conv2d(channels, width, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                         nn.Linear(4 * width, num_classes))
"""
pytestmark = pytest.mark.usefixtures("runs_untried")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "wide.py"
    path.write_text(FOREIGN)
    return changed(teacher={"model": f"{path}:wide", "model_options": {"width": 7}})


@pytest.fixture(scope="module")
def without_layer(foreign, tmp_path_factory, runs_untried):
    folder = tmp_path_factory.mktemp("without layer") / "out"
    return foreign, folder, quietly(foreign, folder)[0]


def test_options_alone_change_those_of_the_students_and_a_model_of_its_own_takes_none_of_them():
    wider = changed(teacher={"model_options": {"fc": 10}})
    assert architecture(wider, "teacher") == ("vgg_small", {"widths": [4, 4, 4], "fc": 10})
    assert architecture(wider, "student") == architecture(SMALL, "teacher") == architecture(SMALL, "baseline")
    other = changed(teacher={"model": "resnet8x4"})
    assert architecture(other, "teacher") == ("resnet8x4", {})
    assert not differs(SMALL) and differs(wider) and differs(other)
    assert not differs(changed(model="resnet18", model_options={}, teacher={"pretrained": True}))


def test_networks_of_a_recipe_are_built_as_student_as_teacher_or_by_name():
    config = changed(teacher={"model": "resnet8x4", "pretrained": "file.pt"})
    stages = load_recipe("baseline").stages

    def built(**said):
        return architecture(config, "assistant", Network("a", stages, **said))

    assert built() == ("vgg_small", SMALL.model_options)
    assert built(model="teacher") == ("resnet8x4", {})
    assert built(model="teacher", initial="teacher") == ("resnet8x4", {"pretrained": "file.pt"})
    assert built(model="teacher", initial=3) == ("resnet8x4", {"pretrained": "file.pt"})
    assert built(initial=3) == ("vgg_small", SMALL.model_options)
    assert built(model="plain20", model_options={"a": 1}) == ("plain20", {"a": 1})


def test_initial_weights_are_the_learners_the_teachers_or_another_draw():
    material, stages = load_material(SMALL), load_recipe("baseline").stages

    def first(role, **said):
        network = Network("a", stages, **said) if said else None
        return next(build(SMALL, material, role, network).parameters())

    assert torch.equal(first("assistant", initial="learner"), first("student"))
    assert torch.equal(first("assistant", initial="teacher"), first("teacher"))
    draws = [first("student"), first("teacher"), *(first("assistant", initial=k) for k in (0, 1, 2))]
    assert not any(torch.equal(a, b) for k, a in enumerate(draws) for b in draws[:k])
    assert torch.equal(first("assistant", initial=1), first("assistant", initial=1))


def test_a_wider_teacher_teaches_is_measured_and_the_report_says_that_it_is_another_network(tmp_path):
    config = changed(teacher={"model_options": {"fc": 10}})
    summary, _ = quietly(config, tmp_path / "out")
    networks = {network.name for network in summary.networks}
    assert networks == {"teacher", "baseline", "student-kd"} and not summary.unmeasured
    said = [note for note in summary.notes if "another network than student and baseline" in note]
    assert len(said) == 1 and "fc 10" in said[0] and "no yardstick" in said[0]
    states = {
        name: SnapshotStore(tmp_path / "out" / "networks" / name / "snapshots").newest() for name in networks
    }
    material = load_material(config)
    for member in members(config, tmp_path / "out"):
        model = load_final(config, material, member)
        width = next(p.shape[0] for p in model.parameters() if p.ndim == 2)
        assert width == (10 if member.name == "teacher" else 6)
    assert len({snapshot.digest for snapshot in states.values()}) == 3
    record = read_json(tmp_path / "out" / "networks" / "teacher" / "run.json")
    assert record["specification"]["model"]["options"]["fc"] == 10
    assert read_config(tmp_path / "out") == config
    with pytest.raises(ConfigError, match=r"teacher holds a network .* \(model differ\)"):
        quietly(changed(teacher={"model_options": {"fc": 11}}), tmp_path / "out")


def test_a_teacher_without_the_layer_is_not_measured_and_named_with_its_accuracy(without_layer):
    config, folder, summary = without_layer
    assert [network.name for network in summary.networks] == ["baseline", "student-kd"]
    (teacher,) = summary.unmeasured
    assert (teacher.name, teacher.role) == ("teacher", "teacher")
    assert "has no layer 'fc1'" in teacher.note and teacher.model == config.teacher.model
    accuracy = read_json(folder / "networks" / "teacher" / "run.json")["accuracy"]
    assert teacher.accuracy == accuracy
    assert not (folder / "networks" / "teacher" / "entropy").exists()
    found = read_json(folder / "comparison.json")
    assert [(each["name"], each["accuracy"]) for each in found["unmeasured"]] == [("teacher", accuracy)]
    assert read_summary(folder).unmeasured == summary.unmeasured
    page = (folder / "report" / "index.html").read_text()
    assert f"{100 * accuracy:.1f} %" in page and "has no layer" in page


def test_it_is_left_out_of_later_measurements_too_and_nothing_is_written_anew(without_layer):
    config, folder, summary = without_layer
    before = (folder / "comparison.json").read_bytes()
    again = report_again(folder)
    assert again.unmeasured == summary.unmeasured and again.notes == summary.notes
    assert (folder / "comparison.json").read_bytes() == before
    measured = measure_networks(folder, config, show_progress=False)
    assert [network.name for network in measured.networks] == ["baseline", "student-kd"]


def test_a_recipe_that_imitates_the_layer_is_refused_beforehand_with_both_names(foreign, tmp_path):
    with pytest.raises(
        ConfigError, match=r"'fc1'.*its teacher teacher \(.*wide\.py:wide\) has none"
    ) as caught:
        quietly(changed(foreign, students=["feature"]), tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_a_layer_of_another_width_cannot_be_imitated_and_that_is_said_beforehand(tmp_path, monkeypatch):
    trained_only(monkeypatch)
    with pytest.raises(ConfigError, match=r"student-feature.*\(4, 6\).*\(4, 10\)") as caught:
        quietly(changed(students=["feature"], teacher={"model_options": {"fc": 10}}), tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()

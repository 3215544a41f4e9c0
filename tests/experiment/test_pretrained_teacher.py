"""A teacher that starts from pretrained convolutions: it alone, noticed when they change, not read again later."""

import dataclasses

import pytest
import torch
import torchvision

from kdprobe.errors import ConfigError, KdprobeError
from kdprobe.experiment import ExperimentConfig
from kdprobe.experiment.config import DataConfig, MeasureConfig, TeacherConfig
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import build, build_empty, load_material
from kdprobe.experiment.specification import specification
from kdprobe.training import TrainingSettings


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.manual_seed(7)
    torch.save(torchvision.models.resnet18(num_classes=7).state_dict(), path)
    return path


@pytest.fixture
def config(weights):
    return ExperimentConfig(
        data=DataConfig(images_per_class=2, classes=["0", "1"]),
        model="resnet18",
        model_options={"fc": 8},
        teacher=TeacherConfig(epochs=1, pretrained=str(weights)),
        training=TrainingSettings(epochs=1, device="cpu"),
        measure=MeasureConfig(images=2, foreground_share=(0.01, 0.9)),
    )


def first(model):
    return next(value for name, value in model.state_dict().items() if name.endswith("conv1.weight"))


def test_the_teacher_alone_starts_from_them(config, weights):
    material = load_material(config)
    given = torch.load(weights)["conv1.weight"]
    assert torch.equal(first(build(config, material, "teacher")), given)
    assert not torch.equal(first(build(config, material, "student")), given)
    assert not torch.equal(first(build_empty(config, material, "teacher")), given)


def test_another_file_is_another_teacher(config, weights, tmp_path):
    material = load_material(config)
    teacher, baseline = members(config, tmp_path)[:2]

    def asked(member):
        return specification(config, material, member, None)["model"]

    before = asked(teacher)
    assert before["pretrained"]["path"] == str(weights) and "pretrained" not in asked(baseline)
    state = torch.load(weights)
    torch.save({name: value + 1 for name, value in state.items()}, weights)
    assert asked(teacher) != before
    torch.save(state, weights)


def test_a_network_without_pretrained_weights_says_so(config):
    small = dataclasses.replace(config, model="vgg_small", model_options={})
    with pytest.raises(ConfigError, match="vgg_small has no option 'pretrained'"):
        build(small, load_material(small), "teacher")


def test_finished_and_pretrained_exclude_each_other(weights):
    with pytest.raises(KdprobeError, match="exclude each other"):
        TeacherConfig(weights="a.pt", pretrained=str(weights))

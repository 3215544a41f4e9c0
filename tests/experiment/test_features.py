"""Methods of one's own that look inside networks, run by `kdprobe run` on networks of different numbers of stages."""

import json
import warnings

import pytest
import torch
from experiment.quick import changed, quietly

from kdprobe.errors import ConfigError
from kdprobe.experiment.members import members
from kdprobe.storage import SnapshotStore, read_json
from kdprobe.training.module import StageModule

pytestmark = pytest.mark.usefixtures("runs_trained_only")
LOSSES = '''
import torch
from torch import nn

def channels(feature):
    return feature if feature.ndim == 2 else feature.flatten(2).mean(2)

class Bridges(nn.Module):
    """A linear map for each pair of features, and a memory of the images."""

    def __init__(self, example):
        super().__init__()
        pairs = zip(example["student_features"], example["teacher_features"], strict=True)
        self.maps = nn.ModuleList(nn.Linear(s.shape[1], t.shape[1]) for s, t in pairs)
        self.register_buffer("seen", torch.zeros(len(example["train_labels"])))

    def forward(self, student_features, teacher_features, indices, train_labels):
        self.seen[indices] += 1
        gaps = [(m(channels(s)) - channels(t)).square().mean(1)
                for m, s, t in zip(self.maps, student_features, teacher_features, strict=True)]
        return torch.stack(gaps).sum(0)

    @staticmethod
    def memory_bytes(inputs, batch_size):
        return 4 * len(inputs["train_labels"]) + batch_size

def straight(student_features, teacher_features):
    return sum((s - t).flatten(1).square().mean(1) for s, t in zip(student_features, teacher_features))

def gradients(student_input_gradient, teacher_input_gradient):
    return (student_input_gradient - teacher_input_gradient).flatten(1).square().sum(1)

def biases(student_features, teacher_norms):
    return sum((channels(s).mean(1) - n[0].mean()).square() for s, n in zip(student_features, teacher_norms))

def huge(student_logits):
    return student_logits.square().sum(1)

huge.memory_bytes = lambda inputs, batch_size: 10**15
'''


@pytest.fixture
def own(tmp_path):
    """A function that makes a config with a student of these stages."""
    (tmp_path / "losses.py").write_text(LOSSES)

    def make(*stages: dict, **parts):
        (tmp_path / "own.yaml").write_text(json.dumps({"title": "own", "stages": [*stages]}))
        return changed(students=[str(tmp_path / "own.yaml")], **parts)

    return make


def stage(*objective, name="only", **keys) -> dict:
    return {"name": name, "objective": list(objective), **keys}


DEEPER = {"teacher": {"model_options": {"widths": [4, 5, 6, 7]}}}
ALL = {"features": ["{stages}", "{embedding}"]}


def test_networks_of_different_depths_are_compared_from_the_deepest_and_that_is_said_once(own, tmp_path):
    config = own(stage("cross_entropy", "losses.py:Bridges", **ALL), **DEEPER)
    _, said = quietly(config, tmp_path / "out")
    told = [line for line in said if "compares the deepest" in line]
    assert told == [
        "student-own: the stage 'only' compares the deepest 4 of the layers that its networks have (student 4, "
        "teacher 5)."
    ]
    held = [line for line in said if "losses.py:Bridges holds" in line]
    assert len(held) == 1 and "holds 0 kB of memory beside the networks" in held[0]
    assert said.index(held[0]) < min(k for k, line in enumerate(said) if ": trained, " in line)
    network = tmp_path / "out" / "networks" / "student-own"
    kept = SnapshotStore(network / "connectors" / "stage-0")
    states = [kept.load(snapshot) for snapshot in kept.list()]
    maps = [name for name in states[0] if ".maps." in name]
    assert [states[0][f"Bridges_1.maps.{k}.weight"].shape for k in range(4)] == [
        (5, 4),
        (6, 4),
        (7, 4),
        (6, 6),
    ]
    assert len(maps) == 8 and not any(torch.equal(states[0][n], states[-1][n]) for n in maps)
    assert [state["Bridges_1.seen"].unique().tolist() for state in states] == [[0], [1], [2]]
    specification = read_json(network / "run.json")["specification"]
    assert specification["recipe"]["stages"][0]["features"]["student"] == ["{stages}", "{embedding}"]
    _, again = quietly(config, tmp_path / "out")
    assert not any(": trained, " in line or "compares" in line for line in again)


def test_the_learning_connectors_and_their_memories_are_in_the_resume_point(own, tmp_path, monkeypatch):
    config, whole = own(stage("cross_entropy", "losses.py:Bridges", **ALL), **DEEPER), tmp_path / "whole"
    quietly(config, whole)
    from kdprobe.training import resume

    class Stopped(Exception):
        pass

    points, save, begins = [], resume.Resume.save, StageModule.on_train_epoch_start

    def noting(self, point):
        points.append(point)
        save(self, point)

    def stopping(self):
        if "Bridges_1" in self.connectors and self.epoch == 2:
            raise Stopped
        begins(self)

    with monkeypatch.context() as patch:
        patch.setattr(resume.Resume, "save", noting)
        patch.setattr(StageModule, "on_train_epoch_start", stopping)
        with pytest.raises(Stopped):
            quietly(config, tmp_path / "out")
    state = points[-1].state("connectors")
    assert {"Bridges_1.seen", "Bridges_1.maps.0.weight"} <= set(state)
    moments = points[-1].lightning["optimizer_states"][0]["state"]
    (student,) = (m for m in members(config, whole) if m.role == "student")
    learned = len([name for name in points[-1].weights if name.endswith(("weight", "bias"))])
    assert len(moments) == learned + 8
    quietly(config, tmp_path / "out")
    files = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.h5")}
        for folder in (student.folder, tmp_path / "out" / "networks" / "student-own")
    ]
    assert files[0] == files[1] and any("connectors" in name for name in files[0])


def test_below_the_middle_all_learns_then_the_rest(own, tmp_path):
    """The hint stage at the middle of a deeper teacher, then labels."""
    config = own(
        stage(
            "losses.py:Bridges",
            name="hint", features=["{middle}"], tap="{middle}", learns="below_tap", epochs=1,
        ),
        stage("cross_entropy", name="labels", epochs=1, analysed=True),
        **DEEPER,
    )  # fmt: skip
    quietly(config, tmp_path / "out")
    store = SnapshotStore(tmp_path / "out" / "networks" / "student-own" / "snapshots")
    first, hinted, last = (store.load(snapshot) for snapshot in store.list())
    moved = {name for name in first if not torch.equal(first[name], hinted[name])}
    assert moved == {name for name in first if name.startswith(("features.block1.", "features.block2."))}
    assert not torch.equal(hinted["classifier.fc3.weight"], last["classifier.fc3.weight"])


def test_input_gradients_norms_and_a_teacher_in_training_mode_run(own, tmp_path):
    config = own(
        stage("cross_entropy", "losses.py:gradients", epochs=1),
        stage(
            "cross_entropy", "losses.py:biases", {"name": "losses.py:Bridges", "decay": 0.5},
            name="then", features=["{stages_preact}"], teacher_mode="train", analysed=True,
        ),
        **DEEPER,
    )  # fmt: skip
    config = changed(config, training={"flips": True})
    _, said = quietly(config, tmp_path / "out")
    assert any(line.startswith("student-own: trained, accuracy") for line in said)


def test_a_mismatch_that_cannot_be_bridged_names_both_shapes_before_anything_is_trained(own, tmp_path):
    config = own(stage("losses.py:straight", **ALL), **DEEPER)
    with pytest.raises(ConfigError) as caught:
        quietly(config, tmp_path / "out")
    sentence = str(caught.value)
    assert (
        "student-own: its stage 'only' imitates the layers '{stages}', '{embedding}' of its teacher"
        in sentence
    )
    assert "losses.py:straight cannot compare the two" in sentence and "\n" not in sentence
    shapes = sentence.partition("student_features ")[2]
    assert shapes.startswith(
        "(4, 4, 32, 32), (4, 4, 16, 16), (4, 4, 8, 8), (4, 6); teacher_features (4, 5, 16, 16)"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {"student": ["stage1"], "teacher": ["stage9"]},
            r"its teacher teacher \(vgg_small\) has none: .*'stage9'",
        ),
        ({"student": ["stage9"], "teacher": ["stage1"]}, "no layer 'stage9'"),
    ],
)
def test_a_layer_that_a_network_lacks_is_refused_before_anything_is_trained(own, tmp_path, features, message):
    from kdprobe.errors import KdprobeError

    with pytest.raises(KdprobeError, match=message):
        quietly(own(stage("losses.py:straight", features=features)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_without_the_taps_of_a_role_is_refused_before_anything_is_trained(own, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def plain(*, num_classes, image_shape):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))\n"
    )
    for part in ({"teacher": {"model": f"{tmp_path}/net.py:plain"}}, {"model": f"{tmp_path}/net.py:plain"}):
        options = {} if "teacher" in part else {"model_options": {}, "measure": {"layer": "1"}}
        config = own(stage("losses.py:straight", features=["{stages}"]), **part, **options)
        with pytest.raises(
            ConfigError, match=r"student-own: .*does not say which of its layers are {stages}"
        ):
            quietly(config, tmp_path / "out")


def test_more_memory_than_is_free_is_warned_of(own, tmp_path):
    config = own(stage("losses.py:huge"))
    with pytest.warns(UserWarning, match=r"losses.py:huge holds 1000000 GB .* That is more than is free"):
        _, said = quietly(config, tmp_path / "out")
    assert any("losses.py:huge holds 1000000 GB of memory" in line and "free)" in line for line in said)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        quietly(config, tmp_path / "out")  # it is trained: nothing is said


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("information_flow", {"layers": "lst"}, "layers must be one of all, last, but_last, got 'lst'."),
        ("information_flow", {"layers": "but_last"}, "but_last leaves none of a single layer"),
        ("crd", {"negatives": "many"}, "negatives must be a whole number from 1 on, got 'many'."),
    ],
)
def test_an_option_that_means_nothing_is_refused_in_the_objectives_own_words(
    own, tmp_path, name, options, says
):
    """Also by objectives that say their memory, which is asked for first."""
    where = {"tap": "{embedding}"} if name == "crd" else {"features": ["{embedding}"]}
    config = own(stage("cross_entropy", {"name": name, "options": options}, **where))
    with pytest.raises(ConfigError) as caught:
        quietly(config, tmp_path / "out")
    sentence = str(caught.value)
    assert sentence.startswith("student-own: in its stage 'only' ") and says in sentence
    assert "memory_bytes" not in sentence and not (tmp_path / "out").exists()


def test_the_layer_under_study_among_the_features_is_part_of_what_was_asked(own, tmp_path):
    config = own(stage("cross_entropy", "losses.py:straight", features=["{layer}"]))
    quietly(config, tmp_path / "out")
    record = read_json(tmp_path / "out" / "networks" / "student-own" / "run.json")
    assert record["specification"]["layer"] == "fc1"

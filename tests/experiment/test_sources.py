"""Who teaches: a network at one of its epochs, by its folder, by its weights; and what is refused beforehand."""

import json
import shutil

import pytest
import torch
from experiment.quick import changed, quietly

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore, read_json

CONFIG = changed(teacher={"epochs": 4}, students=[])
pytestmark = pytest.mark.usefixtures("runs_trained_only")


@pytest.fixture(scope="module")
def taught(tmp_path_factory, runs_trained_only):
    """Teacher and baseline, trained once; every test goes on in a copy."""
    folder = tmp_path_factory.mktemp("taught") / "out"
    quietly(CONFIG, folder)
    return folder


@pytest.fixture
def out(taught, tmp_path):
    shutil.copytree(taught, tmp_path / "out")
    return tmp_path / "out"


def learning_from(folder, teacher, name="mine", **keys):
    """A student whose recipe says `teacher`."""
    stage = {"name": "kd", "objective": ["kd"], "teacher": teacher, **keys}
    (folder / f"{name}.yaml").write_text(json.dumps({"title": name, "stages": [stage]}))
    return changed(CONFIG, students=[str(folder / f"{name}.yaml")])


def kept(out, name):
    return SnapshotStore(out / "networks" / name / "snapshots").list()


def final(out, name="student-mine"):
    return SnapshotStore(out / "networks" / name / "snapshots").load(kept(out, name)[-1])


def digests(out, name="student-mine"):
    return read_json(out / "networks" / name / "run.json")["specification"]["teacher_sha256"]


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def test_the_teacher_as_it_ended_is_recorded_as_ever(out, tmp_path):
    quietly(learning_from(tmp_path, "teacher"), out)
    assert digests(out) == kept(out, "teacher")[-1].digest


def test_one_stopped_early_teaches_as_a_file_of_those_weights_does(out, tmp_path):
    _, said = quietly(learning_from(tmp_path, {"network": "teacher", "epoch": 0.3}), out)
    early, last = kept(out, "teacher")[1], kept(out, "teacher")[-1]
    assert digests(out) == {"teacher, epoch 0.3": early.digest}
    sentence = "its teacher teaches as it was after epoch 1 of 4, the kept one that is nearest to 1.2."
    assert f"student-mine: {sentence}" in said
    for name, snapshot in (("early", early), ("late", last)):
        torch.save(SnapshotStore(snapshot.path.parent).load(snapshot), tmp_path / f"{name}.pt")
        quietly(learning_from(tmp_path, f"{name}.pt", name), out)
        assert list(digests(out, f"student-{name}")) == [str(tmp_path / f"{name}.pt")]
    assert same(final(out), final(out, "student-early"))
    quietly(learning_from(tmp_path, "teacher", "ended"), out)
    assert same(final(out, "student-ended"), final(out, "student-late"))
    assert not same(final(out), final(out, "student-late"))


def test_a_network_of_another_experiment_teaches_by_its_folder(out, taught, tmp_path):
    quietly(learning_from(tmp_path, "teacher"), out)
    for name, teacher in (
        ("last", f"{taught}/networks/teacher"),
        ("first", {"network": f"{taught}/networks/teacher", "epoch": 1}),
    ):
        quietly(learning_from(tmp_path, teacher, name), out)
    assert same(final(out), final(out, "student-last"))
    assert not same(final(out), final(out, "student-first"))
    assert digests(out, "student-last") == {f"{taught}/networks/teacher": kept(taught, "teacher")[-1].digest}


def test_it_is_built_as_its_own_experiment_says_however_the_teacher_is_built_here(out, taught, tmp_path):
    config = learning_from(tmp_path, [f"{taught}/networks/teacher", "baseline"])
    quietly(changed(config, teacher={"model_options": {"fc": 9}}), tmp_path / "other")
    assert len(digests(tmp_path / "other")) == 2


def test_another_teacher_is_noticed(out, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(out / "networks" / "baseline", elsewhere)
    config = learning_from(tmp_path, str(elsewhere))
    quietly(config, out)
    quietly(config, out)
    shutil.rmtree(elsewhere)
    shutil.copytree(out / "networks" / "teacher", elsewhere)
    with pytest.raises(ConfigError, match=r"student-mine holds a network .* \(teacher_sha256 differ\)"):
        quietly(config, out)


def test_a_route_runs_through_the_kept_epochs(out, tmp_path):
    _, said = quietly(learning_from(tmp_path, {"network": "teacher", "anchors": 2}), out)
    assert digests(out) == {
        "teacher, 2 anchors, equal_interval": [kept(out, "teacher")[k].digest for k in (2, 4)]
    }
    assert "student-mine: its teacher teaches as it was after its epochs 2, 4, one after the other." in said


@pytest.mark.parametrize(
    "teacher, snapshots, message",
    [
        ({"network": "teacher", "epoch": 3}, 2, r"epoch 3, but .* 0, 2, 4 are kept.*training\.snapshots"),
        ({"network": "teacher", "epoch": 9}, 1, r"student-mine: .* after epoch 9"),
        ({"network": "teacher", "anchors": 3}, 2, r"student-mine: .* 3 anchors.*training\.snapshots"),
        ({"network": "baseline", "anchors": 3}, 1, r"student-mine: .* baseline .* 3 anchors"),
    ],
)  # fmt: skip
def test_what_will_not_be_kept_is_refused_before_anything_is_written(tmp_path, teacher, snapshots, message):
    config = changed(learning_from(tmp_path, teacher), training={"snapshots": snapshots})
    with pytest.raises(ConfigError, match=message) as caught:
        quietly(config, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_what_is_not_there_or_knows_other_classes_is_refused_before_anything_is_written(tmp_path, taught):
    (tmp_path / "empty").mkdir()
    for path, words in (
        ("nowhere/networks/teacher", "which is not there"),
        ("empty/", r"no run\.json"),
        ("gone.pt", "which is not there"),
    ):
        with pytest.raises(ConfigError, match=rf"student-mine: .*{words}") as caught:
            quietly(learning_from(tmp_path, path), tmp_path / "out")
        assert "\n" not in str(caught.value)
    config = changed(learning_from(tmp_path, f"{taught}/networks/teacher"), data={"classes": ["0", "4"]})
    with pytest.raises(ConfigError, match=r"teacher cannot teach it, .* \(classes differ\)"):
        quietly(config, tmp_path / "out")
    torch.save({"w": torch.ones(2)}, tmp_path / "odd.pt")
    with pytest.raises(SnapshotError, match=r"odd\.pt do not fit"):
        quietly(learning_from(tmp_path, "odd.pt"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_teacher_from_a_file_has_no_epochs_to_choose_from(out, tmp_path):
    torch.save(final(out, "teacher"), tmp_path / "teacher.pt")
    config = learning_from(tmp_path, {"network": "teacher", "epoch": 0.5})
    with pytest.raises(ConfigError, match=r"student-mine: .* no epochs to choose from"):
        quietly(changed(config, teacher={"weights": str(tmp_path / "teacher.pt")}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_a_lost_assistant_taught_is_not_trained_again_unasked(out, tmp_path):
    stages = [{"name": "kd", "objective": ["kd"], "teacher": "teacher"}]
    recipe = {"title": "t", "networks": [{"name": "one", "stages": stages}]}
    recipe["stages"] = [{"name": "kd", "objective": ["kd"], "teacher": "one"}]
    (tmp_path / "chain.yaml").write_text(json.dumps(recipe))
    config = changed(CONFIG, students=[str(tmp_path / "chain.yaml")])
    quietly(config, out)
    shutil.rmtree(out / "networks" / "student-chain.one")
    with pytest.raises(ConfigError, match=r"student-chain\.one holds no finished network, but .* it taught"):
        quietly(config, out)


def test_a_damaged_snapshot_that_is_to_teach_is_named(out, tmp_path):
    early = kept(out, "teacher")[1].path
    content = bytearray(early.read_bytes())
    content[-20] ^= 1
    early.write_bytes(content)
    config = learning_from(tmp_path, {"network": "teacher", "epoch": 1})
    with pytest.raises(SnapshotError, match=r"epoch-00001.*damaged.*one of the weights that teach") as caught:
        quietly(config, out)
    assert "\n" not in str(caught.value)
    early.unlink()
    with pytest.raises(SnapshotError, match=r"no snapshot of epoch 1, which is to teach"):
        quietly(config, out)


def test_an_epoch_in_which_nothing_counts_is_refused_before_anything_is_written(tmp_path):
    stages = [{"name": "one", "objective": [{"name": "kd", "until": 1}]}]
    (tmp_path / "mine.yaml").write_text(json.dumps({"title": "t", "stages": stages}))
    with pytest.raises(ConfigError, match=r"student-mine: In epoch 2 of the 2 .* no term") as caught:
        quietly(changed(CONFIG, students=[str(tmp_path / "mine.yaml")]), tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()

"""The methods with connectors that come with kdprobe, between networks of different families."""

import pytest
import torch

from kdprobe.networks import build_network
from kdprobe.recipes import load_recipe
from kdprobe.storage import SnapshotStore

NETWORKS = {
    "vgg_small of two stages": ("vgg_small", {"widths": (4, 6), "fc": 8}),
    "vgg_small of three": ("vgg_small", {"widths": (4, 6, 5), "fc": 8}),
    "resnet20": ("resnet20", {}),
    "wrn_16_2": ("wrn_16_2", {}),
}
PAIRS = [
    ("vgg_small of two stages", "resnet20"),  # student, teacher
    ("resnet20", "wrn_16_2"),
    ("wrn_16_2", "vgg_small of three"),
]
METHODS = {
    "fitnets_joint": "Hint_1",
    "ab_joint": "ActivationBoundary_1",
    "ofd": "Overhaul_1",
    "review_kd": "Review_1",
}


def built(which: str, seed: int) -> torch.nn.Module:
    name, options = NETWORKS[which]
    return build_network(name, num_classes=3, image_shape=(3, 8, 8), seed=seed, **options)


@pytest.mark.slow  # all pairs of families
@pytest.mark.parametrize("recipe", METHODS)
@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_between_any_two_families_all_weights_of_the_connector_move_and_nothing_of_the_teacher(
    train, tmp_path, recipe, student, teacher
):
    teacher = built(teacher, 1)
    with torch.no_grad():
        teacher.train()(torch.rand(16, 3, 8, 8))  # running statistics that suit the images
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    store = SnapshotStore(tmp_path / "one" / "snapshots")
    result = train(built(student, 0), recipe, teacher=teacher, store=store, settings={"epochs": 1})
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    kept = SnapshotStore(tmp_path / "one" / "connectors" / "stage-0")
    first, last = (kept.load(snapshot) for snapshot in kept.list())
    learnt = [key for key in first if key.endswith((".weight", ".bias"))]
    assert learnt and all(key.startswith(METHODS[recipe]) for key in first)
    assert all(not torch.equal(first[key], last[key]) for key in learnt)
    assert all(value.isfinite().all() for value in last.values())
    assert torch.tensor(list(result.loss_by_epoch.values())).isfinite().all()


def test_the_hint_trains_what_lies_below_the_middle_stage_and_the_second_stage_everything(train, tmp_path):
    student, teacher = built("resnet20", 0), built("wrn_16_2", 1)
    store = SnapshotStore(tmp_path / "one" / "snapshots")
    train(student, "fitnets", teacher=teacher, store=store, settings={"epochs": 1})
    start, hinted, end = (store.load(snapshot) for snapshot in store.list())
    parameters = [name for name, _ in student.named_parameters()]
    moved = {name for name in parameters if not torch.equal(start[name], hinted[name])}
    assert moved == {name for name in parameters if name.startswith(("stem", "stage1", "stage2"))}
    assert all(not torch.equal(hinted[name], end[name]) for name in parameters)


def test_the_overhaul_is_taught_by_a_teacher_that_sees_the_batch():
    assert [stage.teacher_mode for stage in load_recipe("ofd").stages] == ["train"]
    others = [stage for name in METHODS if name != "ofd" for stage in load_recipe(name).stages]
    assert {stage.teacher_mode for stage in others} == {"eval"}

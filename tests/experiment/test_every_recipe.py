"""Every recipe that comes with kdprobe, trained by `kdprobe run` for two epochs on a few of the embedded digits."""

import math

import pytest
import torch
from experiment.quick import changed, quietly

from kdprobe.experiment.members import members
from kdprobe.recipes import list_recipes, load_recipe
from kdprobe.storage import read_json

#: three classes, for what tells the wrong classes apart; as many epochs of the teacher as the longest route has anchors
CONFIG = changed(
    data={"classes": ["0", "1", "4"], "images_per_class": 4},
    teacher={"epochs": 4},
    training={"epochs": 2, "classifier_epochs": 1},
)
KEYS = {
    "schema", "name", "role", "specification", "provenance", "accuracy", "accuracy_by_epoch", "loss_by_epoch",
    "seconds", "steps", "stages", "epochs_not_kept", "failed_snapshots", "failed_notes",
}  # fmt: skip
#: one of each kind; the others are slow together
AT_ONCE = ("label_smoothing", "kd", "feature", "crd", "takd", "kdcl_linear")
RECIPES = [
    name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.slow)
    for name in list_recipes()
    if name != "baseline"
]
pytestmark = pytest.mark.usefixtures("runs_trained_only")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all: teacher and baseline are trained once."""
    return tmp_path_factory.mktemp("recipes") / "out"


@pytest.mark.parametrize("name", RECIPES)
def test_it_trains_to_the_end_moves_its_weights_and_is_found_again(name, folder):
    config = changed(CONFIG, students=[name])
    _, said = quietly(config, folder)
    own = [m for m in members(config, folder) if m.role in ("assistant", "student")]
    assert [m.name for m in own] == [
        *(f"student-{name}.{network.name}" for network in load_recipe(name).networks),
        f"student-{name}",
    ]
    for member in own:
        record = read_json(member.run_file)
        assert set(record) >= KEYS and record["role"] == member.role
        last = max(stage["last_epoch"] for stage in record["stages"])
        assert list(record["loss_by_epoch"]) == [str(epoch) for epoch in range(1, last + 1)] and last >= 2
        assert all(math.isfinite(loss) for loss in record["loss_by_epoch"].values())
        assert 0 <= record["accuracy"] <= 1 and not record["epochs_not_kept"]
        snapshots = member.store.list()
        assert [s.epoch for s in snapshots] == list(range(last + 1))
        first, final = (member.store.load(s) for s in (snapshots[0], snapshots[-1]))
        moved = [key for key in first if not torch.equal(first[key], final[key])]
        assert len(moved) > len(first) / 2 and all(value.isfinite().all() for value in final.values())
        assert any(line.startswith(f"{member.name}: trained, accuracy") for line in said)
        taught = record["specification"]["teacher_sha256"]
        assert (taught is not None) == member.recipe.teacher
        kept = {path.name.partition("_")[0] for path in member.folder.rglob("*") if path.is_file()}
        assert not {"resume.ckpt", "teacher"} & kept
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.h5")}
    _, again = quietly(config, folder)
    assert not any(": trained, " in line for line in again)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.h5")} == before

"""What a snapshot says of itself: inside an epoch or not, raw or averaged; which one is the newest, and how large."""

import json

import h5py
import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from storage.test_round_trip import NAMES, tensors

from kdprobe.errors import InputError, SnapshotCorruptError
from kdprobe.storage import SnapshotStore, is_snapshot_file, snapshot_bytes


def test_partial_and_averaged_come_back(tmp_path):
    store, state = SnapshotStore(tmp_path), {"w": torch.ones(3)}
    plain = store.save(state, epoch=1, step=5)
    inside = store.save(state, epoch=1, step=7, stage=2, partial=True, weights="averaged")
    assert store.list() == [plain, inside] and (inside.epoch, inside.step, inside.stage) == (1, 7, 2)
    assert (plain.partial, plain.weights) == (False, "raw")
    assert (inside.partial, inside.weights) == (True, "averaged")


def header(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["header"])


def test_what_has_its_default_is_not_in_the_file(tmp_path):
    store, state = SnapshotStore(tmp_path), {"w": torch.ones(3)}
    path = store.save(state, epoch=1, step=5, partial=False, weights="raw").path
    assert header(path) == {"kind": "snapshot", "epoch": 1, "step": 5, "stage": 0}
    path = (
        SnapshotStore(tmp_path, include="w")
        .save({**state, "v": state["w"]}, epoch=2, step=6, partial=True)
        .path
    )
    assert header(path) == {
        "kind": "snapshot", "epoch": 2, "step": 6, "stage": 0, "partial": True, "include": ["w"],
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"partial": 1}, {"partial": None}, {"weights": "ema"}, {"weights": None}])
def test_other_values_are_refused(tmp_path, wrong):
    with pytest.raises(InputError, match=f"Expected {next(iter(wrong))} as"):
        SnapshotStore(tmp_path / "s").save({"w": torch.ones(1)}, epoch=0, step=0, **wrong)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "wrong", [{"partial": 1}, {"weights": "ema"}, {"weights": ["raw"]}, {"include": "w"}, {"exclude": [3]}]
)
def test_a_file_that_says_something_else_is_damaged(tmp_path, monkeypatch, wrong):
    store = SnapshotStore(tmp_path)
    from kdprobe.storage import snapshots

    pack = snapshots.packed_header
    monkeypatch.setattr(snapshots, "packed_header", lambda **values: pack(**values) | wrong)
    with pytest.raises(SnapshotCorruptError, match="partial, weights, include or exclude"):
        store.save({"w": torch.ones(1)}, epoch=0, step=0)
    assert store.list() == [] and len(store.skipped) == 1


def test_an_existing_file_keeps_what_it_says(tmp_path):
    store, state = SnapshotStore(tmp_path), {"w": torch.ones(3)}
    first = store.save(state, epoch=1, step=5, weights="averaged")
    assert store.save(state, epoch=1, step=5, partial=True) == first


def test_the_newest_is_the_newest_valid_one(tmp_path):
    store = SnapshotStore(tmp_path / "s")
    assert store.newest() is None and store.skipped == []
    saved = [store.save({"w": torch.tensor(epoch)}, epoch=epoch, step=1) for epoch in (2, 9, 100_000)]
    (store.folder / "weights.h5").write_bytes(b"mine")
    assert store.newest() == saved[2]
    saved[2].path.write_bytes(saved[2].path.read_bytes()[:-1])
    saved[1].path.write_bytes(b"")
    assert store.newest() == saved[0]
    assert [path.name for path, _ in store.skipped] == [saved[2].path.name, saved[1].path.name]
    assert all("damaged" in reason for _, reason in store.skipped)
    saved[0].path.unlink()
    assert store.newest() is None and len(store.skipped) == 3


def test_the_newest_of_one_epoch_is_the_one_of_most_steps(tmp_path):
    store = SnapshotStore(tmp_path)
    steps = [store.save({"w": torch.tensor(step)}, epoch=3, step=step) for step in (10**9, 999_999_999, 7)]
    assert store.newest() == steps[0]


@settings(max_examples=60, deadline=None)
@given(
    state=st.dictionaries(NAMES.filter(lambda name: "module." not in name), tensors(), max_size=5),
    tied=st.booleans(),
    epoch=st.integers(0, 10**6),
    stage=st.integers(0, 20),
)
def test_the_size_is_known_before(tmp_path_factory, state, tied, epoch, stage):
    if tied and state:
        state["tied"] = next(iter(state.values()))
    path = SnapshotStore(tmp_path_factory.mktemp("s")).save(state, epoch=epoch, step=5, stage=stage).path
    assert 0 <= snapshot_bytes(state) - path.stat().st_size <= 200


def test_the_size_of_a_model_and_of_a_part(tmp_path):
    model = torch.nn.Sequential(*(torch.nn.Linear(20, 20) for _ in range(60)))
    for number, patterns in enumerate([{}, {"include": "1*"}, {"exclude": ["*.bias", "2.*"]}]):
        path = SnapshotStore(tmp_path / str(number), **patterns).save(model, epoch=1, step=2).path
        assert 0 <= snapshot_bytes(model, **patterns) - path.stat().st_size <= 200
    with pytest.raises(InputError, match="none is left"):
        snapshot_bytes(model, include="conv")


def test_the_size_is_found_without_reading_a_tensor(monkeypatch):
    monkeypatch.setattr("kdprobe.storage.image.to_array", lambda _: pytest.fail("a tensor was read"))
    assert 4 * 10**9 < snapshot_bytes({"w": torch.zeros(1).expand(10**9)}) < 4 * 10**9 + 3000


def test_an_equal_state_inside_an_epoch_becomes_the_whole_one_that_is_saved(tmp_path):
    store, state = SnapshotStore(tmp_path), {"w": torch.ones(3)}
    store.save(state, epoch=3, step=300, partial=True)
    whole = store.save(state, epoch=3, step=300, stage=1)
    assert not whole.partial and store.list() == [whole]
    assert torch.equal(store.load(whole)["w"], state["w"])
    assert store.save(state, epoch=3, step=300, partial=True) == whole


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("epoch-00003_step-000000300.h5", True),
        ("epoch-100000_step-1000000000.h5", True),
        ("._epoch-00003_step-000000300.h5", False),
        (".epoch-00003_step-000000300.h5.7-abcd.tmp", False),
        ("epoch-3_step-300.h5", False),
        ("notes.h5", False),
    ],
)
def test_which_files_are_named_like_snapshots(tmp_path, name, named):
    assert is_snapshot_file(tmp_path / name) is named and is_snapshot_file(str(tmp_path / name)) is named

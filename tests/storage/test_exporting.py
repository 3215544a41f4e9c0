"""Snapshots as files that other tools read."""

import json
import sys

import pytest
import torch
from storage.runs import damage, make_experiment, state

from kdprobe.errors import InputError, SnapshotError
from kdprobe.storage import SnapshotStore, export_snapshots


def same(a, b):
    return a.keys() == b.keys() and all(
        torch.equal(value, b[name]) and value.dtype == b[name].dtype for name, value in a.items()
    )


def test_torch_files_are_plain_state_dicts(tmp_path):
    store = SnapshotStore(tmp_path / "mine" / "snapshots")
    for epoch in range(2):
        store.save(state(epoch), epoch=epoch, step=10 * epoch)
    exported = export_snapshots(tmp_path / "mine", "torch")
    assert [str(path.relative_to(tmp_path)) for path in exported.files] == [
        "mine/torch/epoch-00000_step-000000000.pt",
        "mine/torch/epoch-00001_step-000000010.pt",
    ]
    for epoch, path in enumerate(exported.files):
        loaded = torch.load(path, weights_only=True)
        assert (
            type(loaded) is dict
            and list(loaded) == list(state(epoch))
            and same(loaded, store.load(store.list()[epoch]))
        )
        assert loaded["tied.weight"].data_ptr() == loaded["conv.weight"].data_ptr()


def test_safetensors_files_say_where_they_come_from(tmp_path):
    import safetensors
    from safetensors.torch import load_file

    run = make_experiment(tmp_path / "run")
    exported = export_snapshots(run, "safetensors", tmp_path / "out")
    assert len(exported.files) == 6 and exported.damaged == ()
    path = tmp_path / "out" / "teacher" / "epoch-00002_step-000000020.safetensors"
    assert path in exported.files
    store = SnapshotStore(run / "networks" / "teacher" / "snapshots")
    snapshot = store.list()[2]
    assert same(load_file(path), store.load(snapshot))
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["epoch"], metadata["step"], metadata["stage"]) == ("2", "20", "0")
    assert (metadata["network"], metadata["digest"]) == ("teacher", snapshot.digest)
    assert json.loads(metadata["tied"]) == [["conv.weight", "tied.weight"]]


def test_every_dtype_of_a_snapshot_has_a_form(tmp_path):
    from safetensors.torch import load_file

    from kdprobe.storage.dtypes import _STORED

    everything = {str(dtype): torch.ones(2, 3).to(dtype) for dtype in _STORED}
    del everything["torch.complex128"]
    SnapshotStore(tmp_path).save(everything, epoch=0, step=0)
    [path] = export_snapshots(tmp_path, "safetensors").files
    assert same(load_file(path), everything) and len(everything) > 15


@pytest.mark.parametrize(
    ("name", "tensor"), [("wave", torch.ones(2, dtype=torch.complex128)), ("__metadata__", torch.ones(2))]
)
def test_what_safetensors_cannot_hold_is_named(tmp_path, name, tensor):
    SnapshotStore(tmp_path).save({name: tensor}, epoch=0, step=0)
    with pytest.raises(SnapshotError, match=f"{name}.*--to torch"):
        export_snapshots(tmp_path, "safetensors")
    [path] = export_snapshots(tmp_path, "torch").files
    assert torch.equal(torch.load(path, weights_only=True)[name], tensor)


def test_a_damaged_snapshot_is_left_out_and_named(tmp_path):
    store = SnapshotStore(tmp_path)
    for epoch in range(3):
        store.save(state(epoch), epoch=epoch, step=epoch)
    damage(store.list()[1].path)
    exported = export_snapshots(tmp_path, "torch")
    assert [path.stem for path in exported.files] == [
        "epoch-00000_step-000000000",
        "epoch-00002_step-000000002",
    ]
    [sentence] = exported.damaged
    assert "epoch-00001" in sentence and "damaged" in sentence


def test_mistakes_are_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="safetensors or torch"):
        export_snapshots(tmp_path, "onnx")
    (tmp_path / "snapshots").mkdir()
    with pytest.raises(SnapshotError, match="holds no snapshot"):
        export_snapshots(tmp_path, "torch")
    SnapshotStore(tmp_path / "snapshots").save(state(0), epoch=0, step=0)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(SnapshotError, match="pip install safetensors"):
        export_snapshots(tmp_path, "safetensors")

"""Checkpoints of other tools as snapshots: the right epoch or a question, and nothing half done."""

import os

import pytest
import torch
from storage.runs import files

from kdprobe.errors import InputError, SnapshotError
from kdprobe.storage import SnapshotStore, export_snapshots, import_checkpoints, load_state, read_json
from kdprobe.storage.checkpoint_place import checkpoint_place
from kdprobe.weight_files import WeightFile


def weights(epoch):
    return {"weight": torch.full((2, 3), float(epoch)), "bias": torch.tensor([epoch, 0.5])}


def saved(folder, contents):
    for name, content in contents.items():
        torch.save(content, folder / name)
    return [folder / name for name in contents]


def test_three_epochs_of_a_training_come_back_equal(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    paths, states = [], []
    for epoch in range(4):
        paths.append(tmp_path / f"model_epoch_{epoch}.pt")
        content = {"epoch": epoch, "global_step": 5 * epoch, "model_state_dict": model.state_dict()}
        torch.save(content | {"optimizer_state_dict": optimiser.state_dict()}, paths[-1])
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        for _ in range(5):
            optimiser.zero_grad()
            model(torch.randn(8, 4)).square().mean().backward()
            optimiser.step()
    made = import_checkpoints(reversed(paths), tmp_path / "run")
    store = SnapshotStore(tmp_path / "run" / "snapshots")
    listed = store.list()
    assert [(s.epoch, s.step, s.partial) for s in listed] == [
        (0, 0, False),
        (1, 5, False),
        (2, 10, False),
        (3, 15, False),
    ]
    for snapshot, state in zip(listed, states, strict=True):
        assert all(value.isfinite().all() for value in state.values())
        load_state(model, store.load(snapshot))
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [each.file for each in made] == paths and [each.digest for each in made] == [
        s.digest for s in listed
    ]
    told = read_json(tmp_path / "run" / "imported.json")["checkpoints"]
    assert [(each["epoch"], each["file"]) for each in told] == [
        (i, str(path)) for i, path in enumerate(paths)
    ]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        (
            "epoch=3-step=1173.ckpt",
            {},
            (4, 1173, "its name"),
        ),  # Lightning's way of writing: from 0, at the end
        ("model_epoch_3.pt", {}, (3, None, "its name")),
        ("model-epoch3-iter-40.pth", {}, (3, 40, "its name")),
        ("Net_EP07.pt", {}, (7, None, "its name")),
        ("epoch-00003_step-000001173.pt", {}, (3, 1173, "its name")),
        ("last.pt", {"epoch": 5}, (5, None, "its content")),
        ("last.pt", {"epoch": 5, "step": 50}, (5, 50, "its content")),
        ("epoch_5.pt", {"epoch": 5, "iteration": 50}, (5, 50, "its content")),
        ("epoch_5_step_60.pt", {"epoch": 5}, (5, 60, "its content")),
        ("epoch_5.pt", {"epoch": "best"}, (5, None, "its name")),
        ("epoch_5.pt", {"epoch": -1}, (5, None, "its name")),
        ("deep_7_epoch_2.pt", {"epoch": True}, (2, None, "its name")),
    ],
)
def test_where_a_checkpoint_stands(name, content, place):
    found = checkpoint_place(WeightFile(content, {}), name)
    assert (found.epoch, found.step, found.source) == place
    assert not found.partial
    given = checkpoint_place(WeightFile(content, {}), name, 9)
    assert (given.epoch, given.step, given.source) == (9, place[1], "--epochs")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("last.pt", {}, "gives no epoch, nor does its content"),
        ("resnet18_cifar10.pt", {}, "gives no epoch"),
        ("deep3.pt", {}, "gives no epoch"),
        ("epoch_3_epoch_4.pt", {}, "more than one epoch"),
        ("model_epoch_4.pt", {"epoch": 3}, "epoch 3 by its content and of epoch 4 by its name"),
    ],
)
def test_an_epoch_that_is_not_clear_is_asked_for(name, content, words):
    with pytest.raises(SnapshotError, match=f"{words}.*--epochs"):
        checkpoint_place(WeightFile(content, {}), name)


def test_lightning_checkpoints(tmp_path):
    import lightning.pytorch as L
    from lightning.pytorch.callbacks import ModelCheckpoint
    from torch.utils.data import DataLoader, TensorDataset

    class Mine(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = torch.nn.Linear(4, 2)

        def training_step(self, batch, _index):
            return self.model(batch[0]).square().sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

    data = DataLoader(TensorDataset(torch.randn(24, 4)), batch_size=4)  # 6 steps
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    ends = ModelCheckpoint(tmp_path / "ends", save_top_k=-1, save_on_train_epoch_end=True)
    steps = ModelCheckpoint(tmp_path / "steps", save_top_k=-1, every_n_train_steps=4)
    own = {}

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            own[trainer.global_step] = {
                name: value.clone() for name, value in module.model.state_dict().items()
            }

    trainer = L.Trainer(max_steps=15, max_epochs=9, callbacks=[ends, steps, Watch()], **quiet)
    trainer.fit(Mine(), data)
    trainer.save_checkpoint(tmp_path / "stopped.ckpt")

    def places(folder, paths, **options):
        import_checkpoints(paths, folder, **options)
        store = SnapshotStore(folder / "snapshots")
        for snapshot in store.list():
            state = store.load(snapshot)
            assert all(torch.equal(state[name], value) for name, value in own[snapshot.step].items())
        return [(s.epoch, s.step, s.partial) for s in store.list()]

    at_ends = [path for path in (tmp_path / "ends").iterdir() if "step=15" not in path.name]
    assert places(tmp_path / "a", at_ends, strip="model.") == [(1, 6, False), (2, 12, False)]
    within = [(0, 4, True), (1, 8, True), (2, 12, False)]
    assert places(tmp_path / "b", list((tmp_path / "steps").iterdir()), key="model") == within
    assert places(tmp_path / "c", [tmp_path / "stopped.ckpt"], strip="model.") == [(2, 15, True)]


def test_exported_snapshots_come_back_as_they_were(tmp_path):
    store = SnapshotStore(tmp_path / "mine" / "snapshots")
    first = store.save(weights(0), epoch=2, step=20, stage=1, weights="averaged")
    inside = store.save(weights(1), epoch=2, step=25, stage=1, partial=True)
    import_checkpoints(export_snapshots(tmp_path / "mine", "safetensors").files, tmp_path / "again")
    again = SnapshotStore(tmp_path / "again" / "snapshots")
    kept = [(s.name, s.stage, s.partial, s.weights) for s in (first, inside)]
    assert [(s.name, s.stage, s.partial, s.weights) for s in again.list()] == kept
    assert all(torch.equal(value, weights(1)[name]) for name, value in again.load(again.list()[1]).items())


def test_names_lose_prefixes(tmp_path):
    wrapped = {f"module.model.{name}": value for name, value in weights(1).items()}
    paths = saved(tmp_path, {"epoch_1.pt": {f"_orig_mod.{name}": value for name, value in wrapped.items()}})
    import_checkpoints(paths, tmp_path / "plain")
    store = SnapshotStore(tmp_path / "plain" / "snapshots")
    assert list(store.load(store.list()[0])) == ["model.weight", "model.bias"]
    import_checkpoints(saved(tmp_path, {"epoch_1.pt": wrapped}), tmp_path / "stripped", strip="module.model.")
    store = SnapshotStore(tmp_path / "stripped" / "snapshots")
    assert list(store.load(store.list()[0])) == ["weight", "bias"]


SEVERAL = {f"epoch_{epoch}.pt": weights(epoch) for epoch in range(3)}


@pytest.mark.parametrize(
    ("contents", "options", "words"),
    [
        (
            SEVERAL | {"again_epoch_1.pt": weights(1)},
            {},
            "epoch_1.pt and .*again_epoch_1.pt are both of epoch 1",
        ),
        (SEVERAL | {"last.pt": weights(3)}, {}, "last.pt gives no epoch"),
        (SEVERAL | {"epoch_3.pt": {"weight": torch.ones(2, 3)}}, {}, "not of the network.*bias is missing"),
        (SEVERAL | {"epoch_3.pt": weights(3) | {"weight": torch.ones(2)}}, {}, r"weight is \(2,\) in it"),
        (SEVERAL | {"epoch_3.pt": [1]}, {}, "no state dict"),
        (SEVERAL, {"epochs": [0, 1]}, "2 epochs for 3 files"),
        (SEVERAL, {"epochs": [0, 1, 1]}, "both of epoch 1"),
        (SEVERAL, {"epochs": [0, 1, -1]}, "epoch as a whole number"),
        (SEVERAL, {"key": "student"}, "under the key 'student'"),
        (SEVERAL, {"strip": "model."}, "no tensor's name begins with the prefix 'model.'"),
        ({"epoch_1.pt": {"a": torch.ones(1), "x.a": torch.ones(1)}}, {"strip": "x."}, "two names are one"),
        ({}, {}, "at least one checkpoint"),
    ],
)
def test_what_is_not_clear_writes_nothing(tmp_path, contents, options, words):
    paths = saved(tmp_path, contents)
    before = files(tmp_path)
    with pytest.raises((SnapshotError, InputError), match=words) as error:
        import_checkpoints(paths, tmp_path / "run", **options)
    assert str(error.value).count("\n") == 0
    assert files(tmp_path) == before and not (tmp_path / "run").exists()


def test_a_run_that_is_there_is_not_touched(tmp_path):
    paths = saved(tmp_path, SEVERAL)
    import_checkpoints(paths, tmp_path / "run")
    before = files(tmp_path)
    with pytest.raises(SnapshotError, match="no empty folder"):
        import_checkpoints(paths, tmp_path / "run")
    assert files(tmp_path) == before
    (tmp_path / "empty").mkdir()
    import_checkpoints(paths, tmp_path / "empty")
    assert sorted(os.listdir(tmp_path / "empty")) == ["imported.json", "snapshots"]

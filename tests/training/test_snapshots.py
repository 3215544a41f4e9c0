"""WeightSnapshots in training of ours and in anybody's Trainer."""

import logging

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*LeafSpec", "ignore:.*in eval mode at the start"
)


@pytest.fixture(autouse=True)
def quiet_lightning():
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


class Users(L.LightningModule):
    """Somebody's module: a network under `net.model` and a loss weight of its own."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.net = nn.ModuleDict({"model": network})
        self.scale = nn.Parameter(torch.ones(()))

    def training_step(self, batch, batch_index):
        inputs, targets = batch
        return nn.functional.cross_entropy(self.scale * self.net["model"](inputs), targets)

    def validation_step(self, batch, batch_index):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(count: int = 32) -> DataLoader:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 4, generator=generator)
    return DataLoader(TensorDataset(inputs, (inputs[:, 0] > 0).long()), batch_size=8)


def fit(module, callbacks, *, validate=True, **options) -> L.Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = L.Trainer(
        **({"max_epochs": 3, "accelerator": "cpu", "enable_progress_bar": False} | quiet | options),
        callbacks=callbacks,
    )
    trainer.fit(module, loader(), loader() if validate else None)
    return trainer


def numbers(store: SnapshotStore) -> list[tuple[int, int, int]]:
    return [(snapshot.epoch, snapshot.step, snapshot.stage) for snapshot in store.list()]


def test_the_initial_weights_and_then_every_epoch(tmp_path, same):
    module = Users()
    fit(module, [WeightSnapshots(tmp_path / "s")])
    store = SnapshotStore(tmp_path / "s")
    assert numbers(store) == [(0, 0, 0), (1, 4, 0), (2, 8, 0), (3, 12, 0)]
    assert same(store.load(store.list()[0]), dict(Users().state_dict()))
    assert same(store.load(store.list()[3]), dict(module.state_dict()))
    assert not same(store.load(store.list()[2]), store.load(store.list()[3]))


def test_every_snapshot_is_the_state_at_the_end_of_its_epoch(tmp_path, state, same):
    states = []

    class Watch(L.Callback):
        def on_train_start(self, trainer, pl_module):
            states.append(state(pl_module))

        def on_train_epoch_end(self, trainer, pl_module):
            states.append(state(pl_module))

    fit(Users(), [WeightSnapshots(str(tmp_path)), Watch()])
    store = SnapshotStore(tmp_path)
    assert all(same(store.load(s), kept) for s, kept in zip(store.list(), states, strict=True))


def test_only_the_named_module_is_saved_under_its_own_names(tmp_path, same):
    module = Users()
    fit(module, [WeightSnapshots(tmp_path, module="net.model")])
    store = SnapshotStore(tmp_path)
    last = store.load(store.list()[-1])
    assert same(last, dict(module.net["model"].state_dict()))
    assert int(last["1.num_batches_tracked"]) == 12


def test_a_module_that_does_not_exist_is_refused_before_training(tmp_path):
    module = Users()
    with pytest.raises(ConfigError, match="Users has no module 'model' to save; its modules: net"):
        fit(module, [WeightSnapshots(tmp_path, module="model")])
    assert torch.equal(module.net["model"][0].weight, Users().net["model"][0].weight)


def test_gradient_accumulation_counts_optimiser_steps(tmp_path):
    fit(Users(), [WeightSnapshots(tmp_path)], accumulate_grad_batches=3)
    assert numbers(SnapshotStore(tmp_path)) == [(0, 0, 0), (1, 2, 0), (2, 4, 0), (3, 6, 0)]


def test_fast_dev_run_writes_nothing(tmp_path):
    fit(Users(), [WeightSnapshots(tmp_path / "s")], fast_dev_run=True)
    assert list(tmp_path.iterdir()) == []


def test_sanity_validation_and_validation_alone_write_nothing(tmp_path):
    seen = []

    class Watch(L.Callback):
        def on_validation_end(self, trainer, pl_module):
            seen.append((trainer.sanity_checking, len(list(tmp_path.glob("*.h5")))))

    trainer = fit(Users(), [WeightSnapshots(tmp_path), Watch()], num_sanity_val_steps=2)
    assert seen[0] == (True, 0) and seen[1] == (False, 1)
    trainer.validate(trainer.lightning_module, loader(), verbose=False)
    assert len(list(tmp_path.glob("*.h5"))) == 4


def test_the_weights_are_the_same_with_and_without(tmp_path, state, same):
    modules = []
    for callbacks in ([], [WeightSnapshots(tmp_path)]):
        module = Users()
        module.net["model"].append(nn.Dropout(0.5))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            fit(module, callbacks)
        modules.append(state(module))
    assert same(*modules)


def test_epochs_stages_and_steps_count_on(tmp_path):
    module = Users()
    fit(module, [WeightSnapshots(tmp_path)], max_epochs=2)
    fit(module, [WeightSnapshots(tmp_path, stage=1, first_epoch=2, first_step=8)], max_epochs=1)
    assert numbers(SnapshotStore(tmp_path)) == [(0, 0, 0), (1, 4, 0), (2, 8, 0), (3, 12, 1)]


def test_the_border_between_two_stages_is_kept_once_even_if_the_steps_start_anew(tmp_path):
    module = Users()
    fit(module, [WeightSnapshots(tmp_path)], max_epochs=2)
    fit(module, [WeightSnapshots(tmp_path, 1, 2)], max_epochs=1)
    assert numbers(SnapshotStore(tmp_path)) == [(0, 0, 0), (1, 4, 0), (2, 8, 0), (3, 4, 1)]


def test_a_resumed_training_goes_on_in_its_folder(tmp_path, state, same):
    whole, first, second = Users(), Users(), Users()
    fit(whole, [WeightSnapshots(tmp_path / "whole")], max_epochs=4)
    trainer = fit(first, [WeightSnapshots(tmp_path / "parts")], max_epochs=2)
    trainer.save_checkpoint(tmp_path / "resume.ckpt")
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[WeightSnapshots(tmp_path / "parts")],
    )
    trainer.fit(second, loader(), loader(), ckpt_path=tmp_path / "resume.ckpt")
    stores = [SnapshotStore(tmp_path / name) for name in ("whole", "parts")]
    assert numbers(stores[0]) == numbers(stores[1]) and len(numbers(stores[0])) == 5
    assert all(
        same(stores[0].load(a), stores[1].load(b))
        for a, b in zip(stores[0].list(), stores[1].list(), strict=True)
    )


def test_a_new_training_does_not_mix_with_an_old_one(tmp_path):
    fit(Users(seed=0), [WeightSnapshots(tmp_path)])
    with pytest.raises(SnapshotError, match="already holds 4 snapshots of another training; give an empty"):
        fit(Users(seed=0), [WeightSnapshots(tmp_path)])
    assert len(numbers(SnapshotStore(tmp_path))) == 4


@pytest.mark.parametrize("recipe", ["baseline", "feature"])
def test_our_training_gives_the_same_weights_without_snapshots(net, train, state, same, monkeypatch, recipe):
    with_snapshots, without = net(seed=0), net(seed=0)
    train(with_snapshots, recipe, teacher=net(seed=9))
    monkeypatch.setattr(WeightSnapshots, "_writes", staticmethod(lambda trainer: False))
    train(without, recipe, teacher=net(seed=9))
    assert same(state(with_snapshots), state(without))

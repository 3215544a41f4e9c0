"""WeightSnapshots in training of ours and in anybody's Trainer."""

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from training.users import Users, fit, loader, numbers

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots


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
    """With dropout and shuffling: one random number drawn by the callback would show."""
    modules = []
    for folder in (None, tmp_path, None):
        module = Users()
        module.net["model"].append(nn.Dropout(0.5))
        callbacks = [WeightSnapshots(folder, every_n_steps=1, path_length="net.model.0")] if folder else []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7 if folder or not modules else 8)
            fit(module, callbacks, data=DataLoader(loader().dataset, 8, shuffle=True))
        modules.append(state(module))
    assert same(modules[0], modules[1]) and not same(modules[0], modules[2])


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
    fit(second, [WeightSnapshots(tmp_path / "parts")], max_epochs=4, ckpt_path=tmp_path / "resume.ckpt")
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
    monkeypatch.setattr(WeightSnapshots, "on_train_start", lambda *_: None)
    train(without, recipe, teacher=net(seed=9))
    assert same(state(with_snapshots), state(without))

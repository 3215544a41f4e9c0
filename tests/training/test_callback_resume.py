"""WeightSnapshots in trainings that go on from a checkpoint of Lightning's."""

import errno
import os
import warnings
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader
from training.users import Users, fit, loader, places

from kdprobe.errors import SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.training import WeightSnapshots

WHOLE = [(0, 0), (1, 4), (2, 8), (3, 12)]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*callbacks used to create the checkpoint need to be provided"
)


def contents(folder) -> list[dict[str, torch.Tensor]]:
    store = SnapshotStore(folder)
    return [store.load(s) for s in store.list()]


def interrupted(tmp_path, *, first=None, second=None, save=None, **when) -> None:
    """Trains to the limits `first`, then on from the checkpoint to those of `second`."""
    checkpoint = ModelCheckpoint(tmp_path, filename="c", **(save or {"every_n_epochs": 1}))
    callbacks = [checkpoint, WeightSnapshots(tmp_path / "s", **when)]
    fit(Users(), callbacks, enable_checkpointing=True, **(first or {"max_epochs": 2}))
    callback = WeightSnapshots(tmp_path / "s", **when)
    fit(Users(seed=8), [callback], ckpt_path=tmp_path / "c.ckpt", **(second or {}))


@pytest.mark.parametrize("first", [{"max_epochs": 2}, {"max_steps": 8, "max_epochs": -1}])
@pytest.mark.parametrize("second", [{"max_epochs": 3}, {"max_steps": 12, "max_epochs": -1}])
def test_the_folder_is_that_of_a_training_that_was_not_interrupted(tmp_path, same, first, second):
    """Limited by steps, Lightning reports the end of the epoch in the checkpoint a second time."""
    interrupted(tmp_path, first=first, second=second)
    fit(Users(), [WeightSnapshots(tmp_path / "whole")])
    assert places(tmp_path / "s") == places(tmp_path / "whole") == WHOLE
    parts, whole = contents(tmp_path / "s"), contents(tmp_path / "whole")
    assert all(same(a, b) for a, b in zip(parts, whole, strict=True))


def test_a_checkpoint_saved_between_validation_and_the_end_of_its_epoch_is_of_that_epoch(tmp_path):
    """Lightning reports the end of that epoch again, and has not counted it."""
    interrupted(tmp_path, save={"save_on_train_epoch_end": False})
    assert places(tmp_path / "s") == WHOLE


def test_snapshots_that_are_newer_than_the_checkpoint_are_kept_if_they_are_equal(tmp_path):
    """The checkpoint is of epoch 1, snapshots 2 and 3 are there already."""
    interrupted(tmp_path, first={"max_epochs": 1})
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()}
    assert len(before) == 4
    with pytest.warns(
        UserWarning, match="Of the snapshots in .*, 2 are newer than step 4, where the training"
    ):
        fit(Users(seed=8), [WeightSnapshots(tmp_path / "s")], ckpt_path=tmp_path / "c.ckpt")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()} == before


@pytest.mark.filterwarnings("ignore:.*are newer than step 4")
@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (range(31, -1, -1), "epoch-00002_step-000000008.h5 exists with other weights"),
        (range(24), "epoch-00002_step-000000008.h5 exists, but here epoch 2 ends with step 7"),
    ],
)
def test_a_resumed_training_that_takes_another_way_is_stopped_before_the_two_mix(tmp_path, order, sentence):
    interrupted(tmp_path, first={"max_epochs": 1})
    before = [path.read_bytes() for path in sorted((tmp_path / "s").iterdir())]
    callback, data = WeightSnapshots(tmp_path / "s"), DataLoader(loader().dataset, 8, sampler=order)
    with pytest.raises(SnapshotError, match=sentence):
        fit(Users(), [callback], data=data, ckpt_path=tmp_path / "c.ckpt")
    assert before == [path.read_bytes() for path in sorted((tmp_path / "s").iterdir())]


def test_what_ctrl_c_left_inside_an_epoch_is_in_nobodys_way(tmp_path):
    interrupted(tmp_path, second={"max_epochs": 2})
    store = SnapshotStore(tmp_path / "s")
    store.save(Users(seed=5), epoch=2, step=10, partial=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*newer than step")
        fit(Users(), [WeightSnapshots(store)], ckpt_path=tmp_path / "c.ckpt")
    assert places(tmp_path / "s") == [*WHOLE[:3], (2, 10, "partial"), WHOLE[3]]


def test_newer_snapshots_make_way_if_that_is_asked_for(tmp_path, same):
    interrupted(tmp_path, first={"max_epochs": 1})
    callback = WeightSnapshots(tmp_path / "s", newer="remove", every_n_epochs=3)
    fit(Users(), [callback], ckpt_path=tmp_path / "c.ckpt", max_epochs=2)
    assert places(tmp_path / "s") == WHOLE[:3]


def test_what_made_way_is_gone_for_good_before_anything_new_is_written(tmp_path, monkeypatch):
    """The folder itself is synced after the last one is removed: else a power loss brings them back."""
    interrupted(tmp_path, first={"max_epochs": 1})
    folder, happened, fsync, unlink = tmp_path / "s", [], os.fsync, Path.unlink

    def noted_fsync(descriptor):
        happened.append("synced" if os.path.samestat(os.fstat(descriptor), folder.stat()) else "other")
        fsync(descriptor)

    def noted_unlink(path, **options):
        happened.append("removed")
        unlink(path, **options)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "unlink", noted_unlink)
    callback = WeightSnapshots(folder, newer="remove")
    fit(Users(), [callback], ckpt_path=tmp_path / "c.ckpt")
    assert happened[:3] == ["removed", "removed", "synced"]


def test_a_folder_that_cannot_be_synced_after_removing_stops_the_training(tmp_path, monkeypatch):
    interrupted(tmp_path, first={"max_epochs": 1})

    def refuse(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SnapshotError, match=f"Cannot remove files in {tmp_path}/s: Input/output error"):
        fit(Users(), [WeightSnapshots(tmp_path / "s", newer="remove")], ckpt_path=tmp_path / "c.ckpt")


def test_a_checkpoint_inside_an_epoch_is_followed_by_the_end_of_this_epoch(tmp_path):
    """The batches begin anew, as Lightning warns, so that the weights are others."""
    with pytest.warns(UserWarning, match="your dataloader is not resumable"):
        interrupted(tmp_path, save={"every_n_train_steps": 6}, newer="remove")
    assert places(tmp_path / "s") == WHOLE


def test_a_checkpoint_after_the_last_batch_of_an_epoch_is_followed_by_the_next(tmp_path):
    interrupted(tmp_path, save={"every_n_train_steps": 8})
    assert places(tmp_path / "s") == WHOLE


@pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")
def test_an_epoch_that_max_steps_broke_off_is_finished(tmp_path):
    trainer = fit(Users(), [WeightSnapshots(tmp_path / "s")], max_steps=6, max_epochs=-1)
    trainer.save_checkpoint(tmp_path / "c.ckpt")
    callback = WeightSnapshots(tmp_path / "s")
    fit(Users(), [callback], max_steps=12, max_epochs=-1, ckpt_path=tmp_path / "c.ckpt")
    assert places(tmp_path / "s") == [(0, 0), (1, 4), (1, 6, "partial"), (2, 8), (3, 12)]


def test_what_is_not_asked_for_is_not_written_where_it_goes_on(tmp_path):
    """The last state of the first part is there, as of every training; epoch 1, where it goes on, is not."""
    interrupted(
        tmp_path, first={"max_epochs": 2}, every_n_epochs=3, save={"every_n_train_steps": 4, "save_top_k": -1}
    )
    assert places(tmp_path / "s") == [(0, 0), (2, 8), (3, 12)]


def test_a_snapshot_that_is_missing_where_it_goes_on_is_written(tmp_path):
    interrupted(tmp_path, second={"max_epochs": 2})
    (tmp_path / "s" / "epoch-00002_step-000000008.h5").unlink()
    fit(Users(), [WeightSnapshots(tmp_path / "s")], ckpt_path=tmp_path / "c.ckpt")
    assert places(tmp_path / "s") == WHOLE


def test_in_an_empty_folder_the_weights_at_which_it_goes_on_come_first(tmp_path):
    interrupted(tmp_path, first={"max_epochs": 2})
    fit(Users(), [WeightSnapshots(tmp_path / "other", every_n_epochs=5)], ckpt_path=tmp_path / "c.ckpt")
    assert places(tmp_path / "other") == [(2, 8), (3, 12)]

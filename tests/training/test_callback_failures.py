"""A disk that fails, or will be too small, while WeightSnapshots writes."""

import errno
import logging
import os
import warnings
from collections import namedtuple

import pytest
import torch
from training.users import Users, fit, places

from kdprobe.errors import ConfigError, SnapshotError
from kdprobe.storage import SnapshotStore, snapshot_bytes
from kdprobe.training import WeightSnapshots

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def full_at(monkeypatch):
    """A function that makes the disk full for the snapshots of some epochs."""

    def fill(*epochs: int) -> None:
        real = os.replace

        def replace(source, target, **options):
            if any(f"epoch-{epoch:05d}" in str(target) for epoch in epochs):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(source, target, **options)

        monkeypatch.setattr(os, "replace", replace)

    return fill


def test_a_full_disk_gives_one_warning_per_failure_and_training_goes_on(tmp_path, full_at):
    full_at(0, 2)
    callback, module = WeightSnapshots(tmp_path), Users()
    with pytest.warns(UserWarning, match="No space left") as seen:
        fit(module, [callback])
    told = [str(w.message) for w in seen if "No space" in str(w.message)]
    assert tuple(told) == callback.failures and len(told) == 2
    assert f"{tmp_path}/epoch-00002_step-000000008.h5: No space left on device" in told[1]
    assert callback.failed_epochs == (0, 2)
    assert places(tmp_path) == [(1, 4), (3, 12)] and module.trainer.global_step == 12
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".h5", ".h5"]


def test_a_last_state_that_fails_is_counted_once(tmp_path, full_at):
    full_at(3)
    callback = WeightSnapshots(tmp_path)
    with pytest.warns(UserWarning, match="No space left"):
        fit(Users(), [callback])
    assert len(callback.failures) == 1


def test_on_error_raise_stops_the_training_at_the_first_failure(tmp_path, full_at):
    full_at(2)
    callback, module = WeightSnapshots(tmp_path, on_error="raise"), Users()
    with pytest.raises(SnapshotError, match=r"epoch-00002_step-000000008\.h5: No space left on device"):
        fit(module, [callback])
    assert module.trainer.global_step == 8 and callback.failures == ()
    assert places(tmp_path) == [(0, 0), (1, 4)]


def test_no_failure_no_warning(tmp_path):
    callback = WeightSnapshots(tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning, module="kdprobe")
        fit(Users(), [callback])
    assert callback.failures == callback.failed_epochs == ()


@pytest.mark.filterwarnings("ignore:Of the snapshots .* 2 are newer")
def test_what_is_no_failure_of_the_system_raises_whatever_on_error(tmp_path):
    """Other weights under the same name: two trainings would be mixed."""
    fit(Users(seed=0), [WeightSnapshots(tmp_path)])
    for path in sorted(tmp_path.iterdir())[:2]:
        path.unlink()
    with pytest.raises(SnapshotError, match=r"epoch-00002_step-000000008\.h5 exists with other weights"):
        fit(Users(seed=1), [WeightSnapshots(tmp_path, first_epoch=1, first_step=4)], max_epochs=1)


def test_a_value_that_cannot_be_stored_raises_before_the_first_step(tmp_path):
    class Sparse(Users):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.eye(3).to_sparse())

    module = Sparse()
    with pytest.raises(SnapshotError, match="Cannot store 'table': it is sparse"):
        fit(module, [WeightSnapshots(tmp_path)], num_sanity_val_steps=0)
    assert module.trainer.global_step == 0


@pytest.mark.parametrize(
    ("when", "options", "count"),
    [
        ({}, {}, 4),
        ({"every_n_epochs": 2}, {}, 3),
        ({"epochs": []}, {}, 2),
        ({"every_n_steps": 3}, {}, 7),
        ({}, {"max_epochs": -1, "max_steps": 10}, 4),
        ({"every_n_epochs": 2, "every_n_steps": 4}, {"max_steps": 10}, 4),
        ({"every_n_steps": 1}, {"accumulate_grad_batches": 3}, 7),
    ],
)
def test_what_is_needed_is_what_will_be_written(tmp_path, monkeypatch, when, options, count):
    """Free space for all but one byte of the snapshots that the same training then writes."""
    fit(Users(), [WeightSnapshots(tmp_path / "first", **when)], **options)
    written = SnapshotStore(tmp_path / "first").list()
    assert len(written) == count
    size = written[0].path.stat().st_size
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(0, 0, count * size - 1))
    callback = WeightSnapshots(tmp_path / "second", **when)
    with pytest.warns(UserWarning, match=f"^{count} snapshots need .* GB are free in .*second; free some"):
        fit(Users(), [callback], **options)
    assert callback.failures == ()  # the real disk had room
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(0, 0, count * (size + 1000)))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*snapshots need")
        fit(Users(), [WeightSnapshots(tmp_path / "third", **when)], **options)


@pytest.fixture
def told(caplog):
    """A function that trains with a callback and returns the lines of the log that speak of snapshots."""

    def train(callback: WeightSnapshots, **options) -> list[str]:
        caplog.clear()
        log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
        log.addHandler(caplog.handler)
        log.setLevel(logging.INFO)  # `fit` quiets the loggers above it
        try:
            fit(Users(), [callback], **options)
        finally:
            log.removeHandler(caplog.handler)
            log.setLevel(logging.NOTSET)
        lines = [(r.levelname, r.getMessage()) for r in caplog.records]
        return [line for level, line in dict.fromkeys(lines) if level == "INFO" and "snapshots" in line]

    return train


def test_the_disk_that_will_be_needed_is_said_before_the_training(tmp_path, monkeypatch, told):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(0, 0, 3 * 10**9))
    lines = told(WeightSnapshots(tmp_path))
    size = 4 * snapshot_bytes(Users()) / 1e9
    assert lines == [f"4 snapshots will need {size:.3g} GB in {tmp_path}; 3 GB are free."]


def test_it_is_said_what_is_not_known_of_it(tmp_path, monkeypatch, told):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr("shutil.disk_usage", refuse)
    endless = told(WeightSnapshots(tmp_path), max_epochs=-1, max_time="00:00:00:01")
    size = snapshot_bytes(Users()) / 1e9
    assert endless == [
        f"The snapshots, of a number not known yet, will need {size:.3g} GB each in {tmp_path}; "
        "how much is free is not known."
    ]


def test_with_raise_a_disk_that_will_be_too_small_is_refused_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(0, 0, 1000))
    module = Users()
    with pytest.raises(SnapshotError, match=r"4 snapshots need .* but only 1e-06 GB are free in"):
        fit(module, [WeightSnapshots(tmp_path / "s", on_error="raise")])
    assert module.trainer.global_step == 0 and list(tmp_path.iterdir()) == []


def test_room_that_cannot_be_known_stops_nothing(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr("shutil.disk_usage", refuse)
    fit(Users(), [WeightSnapshots(tmp_path, on_error="raise")])
    assert places(tmp_path) == [(0, 0), (1, 4), (2, 8), (3, 12)]


def test_a_module_that_does_not_exist_raises_with_warn(tmp_path):
    with pytest.raises(ConfigError):
        fit(Users(), [WeightSnapshots(tmp_path, module="model", on_error="warn")])

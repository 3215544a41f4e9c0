"""Killed or without power at every moment: what was acknowledged is there, and nothing that is not whole."""

import os
import random
import shutil
import warnings
from contextlib import ExitStack
from functools import partial

import pytest
import torch
from storage.disk import Disk, Recorder, after_kill, after_power_loss

from kdprobe.errors import SnapshotError
from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage import EntropyStore, SnapshotStore, append_jsonl, read_json, read_jsonl, write_json

EPOCHS = 3


def state(epoch):
    return {"w": torch.full((40, 5), float(epoch)), "n": torch.tensor(epoch), "h": torch.ones(300).bfloat16()}


def maps(epoch):
    return EntropyResult(
        torch.full((1, 2, 2), float(epoch)), torch.zeros(1, 2, 2), (Outcome.OK,), {"epoch": epoch}
    )


def noted(words):
    """What fails inside has `words` beside it."""
    stack = ExitStack()
    stack.push(lambda _kind, error, _trace: error and error.add_note(words))
    return stack


def program(folder, done):
    """Snapshots (made in memory and streamed), a log, settings that are replaced, entropy maps."""
    for epoch in range(EPOCHS):
        store = SnapshotStore(folder / "run" / "snapshots", in_memory=0 if epoch % 2 else 10**9)
        done(("snapshot", store.save(state(epoch), epoch=epoch, step=7).epoch))
        append_jsonl(folder / "run" / "metrics.jsonl", {"epoch": epoch, "loss": 1 / 3})
        done(("line", epoch))
        write_json(folder / "run" / "run.json", {"epoch": epoch})
        done(("setting", epoch))
        EntropyStore(folder / "run" / "entropy").save("x", epoch, maps(epoch), (f"{epoch}.png",))
        done(("maps", epoch))


def check(folder, done):
    """Raises unless everything in `done` is there, everything there is sound, and nothing else is listed."""
    store = SnapshotStore(folder / "run" / "snapshots")
    listed = store.list()
    assert store.skipped == []
    assert {epoch for kind, epoch in done if kind == "snapshot"} <= {snapshot.epoch for snapshot in listed}
    for snapshot in listed:
        loaded = store.load(snapshot)
        assert list(loaded) == list(state(0))
        assert all(torch.equal(loaded[name], value) for name, value in state(snapshot.epoch).items())
    newest = store.newest()
    assert newest == (listed[-1] if listed else None)

    log = folder / "run" / "metrics.jsonl"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a torn last line
        lines = [line["epoch"] for line in read_jsonl(log)] if log.exists() else []
    assert lines == list(range(len(lines))) and {epoch for kind, epoch in done if kind == "line"} <= set(
        lines
    )

    setting = folder / "run" / "run.json"
    written = [epoch for kind, epoch in done if kind == "setting"]
    assert not written or read_json(setting)["epoch"] >= written[-1]
    assert not setting.exists() or read_json(setting)["epoch"] in range(EPOCHS)

    entropy = EntropyStore(folder / "run" / "entropy")
    shards = [shard for shard in range(EPOCHS) if entropy.has("x", shard)]
    assert {epoch for kind, epoch in done if kind == "maps"} <= set(shards)
    names = [path.name for path in folder.rglob("*.h5") if not path.name.startswith(".")]
    assert len(names) == len(listed) + len(shards)
    if shards:
        result, ids = entropy.load("x")
        assert result.entropy[:, 0, 0].tolist() == shards and ids == tuple(f"{shard}.png" for shard in shards)


def go_on(folder):
    """The program, started again on what is left, ends as if nothing had been."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a torn last line
        lines = (
            len(read_jsonl(folder / "run" / "metrics.jsonl"))
            if (folder / "run" / "metrics.jsonl").exists()
            else 0
        )
    for epoch in range(lines, EPOCHS):
        append_jsonl(folder / "run" / "metrics.jsonl", {"epoch": epoch, "loss": 1 / 3})
    for epoch in range(EPOCHS):
        SnapshotStore(folder / "run" / "snapshots").save(state(epoch), epoch=epoch, step=7)
    assert [line["epoch"] for line in read_jsonl(folder / "run" / "metrics.jsonl")] == list(range(EPOCHS))
    assert len(SnapshotStore(folder / "run" / "snapshots").list()) == EPOCHS


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch)
        program(folder, recorder.done)
    return folder, recorder.log


def test_the_log_holds_all_that_reached_the_disk(recorded):
    folder, log = recorded
    on_disk = {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert Disk(folder, log).files == on_disk and len(on_disk) == 2 * EPOCHS + 2
    kinds = [change.kind for change in log]
    assert (
        kinds.count("write") > 15 and kinds.count("sync") == 4 * EPOCHS and kinds.count("done") == 4 * EPOCHS
    )


def sweep(recorded, folder, states_at):
    """Checks every different disk; returns how many there were."""
    root, log = recorded
    seen = set()
    for at in range(len(log) + 1):
        done = [change.what for change in log[:at] if change.kind == "done"]
        for changes in states_at(log, at):
            disk = Disk(root, changes)
            key = (len(done), tuple(disk.files.items()))
            if key in seen:
                continue
            seen.add(key)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            disk.put(folder)
            with noted(f"before change {at} ({log[at : at + 1]}), on the disk: {disk.files.keys()}"):
                check(folder, done)
                if len(seen) % 5 == 0:
                    go_on(folder)
    return len(seen)


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    """The program that goes on is not killed again: what it writes need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def test_killed_at_every_write_and_in_the_middle_of_each(recorded, tmp_path, no_waiting_for_the_disk):
    assert sweep(recorded, tmp_path / "disk", after_kill) > 60


def test_without_power_at_every_moment(recorded, tmp_path, no_waiting_for_the_disk):
    states_at = partial(after_power_loss, chance=random.Random(0), draws=6)
    assert sweep(recorded, tmp_path / "disk", states_at) > 80


@pytest.mark.parametrize("left_out", ["sync", "sync_folder"])
def test_the_sweep_would_notice_a_missing_sync(recorded, tmp_path, left_out):
    root, log = recorded
    log = [change for change in log if change.kind != left_out]
    states_at = partial(after_power_loss, chance=random.Random(0), draws=6)
    with pytest.raises((AssertionError, SnapshotError)):
        sweep((root, log), tmp_path / "disk", states_at)


def test_the_sweep_would_notice_a_rename_before_the_last_write(recorded, tmp_path):
    root, log = recorded
    first = next(number for number, change in enumerate(log) if change.kind == "rename")
    last_write = max(number for number in range(first) if log[number].kind == "write")
    early = [*log[:last_write], log[first], *log[last_write:first], *log[first + 1 :]]
    with pytest.raises(AssertionError):
        sweep((root, early), tmp_path / "disk", after_kill)

"""The system fails at every place in turn: what was acknowledged stays readable, nothing else is left."""

import errno
import os
import threading

import pytest
import torch
from storage.children import fork_only, in_child, started

from kdprobe.errors import KdprobeError, SnapshotError
from kdprobe.storage import SnapshotStore, append_jsonl, read_json, read_jsonl, write_json
from kdprobe.storage.envelope import IN_MEMORY

CALLS = ["open", "write", "fsync", "replace", "mkdir", "close", "read", "lseek"]


class Faults:
    """Counts calls into the system and fails the `at`-th (and, if `lasting`, all later ones)."""

    def __init__(self, monkeypatch, at=0, error=errno.ENOSPC, lasting=False, torn=False):
        self.count = 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name), at, error, lasting, torn))

    def _wrap(self, name, call, at, error, lasting, torn):
        def wrapped(*args, **options):
            self.count += 1
            if not at or (self.count < at if lasting else self.count != at):
                return (
                    None if name == "fsync" else call(*args, **options)
                )  # nothing here needs to outlast a power loss
            if name == "close":
                call(*args)  # the system has closed it, whatever it says
            if torn and name == "write":
                call(args[0], args[1][: len(args[1]) // 2])
            if isinstance(error, int):
                raise OSError(error, os.strerror(error))
            raise error

        return wrapped


def states():
    return {epoch: {"w": torch.full((4, 3), float(epoch)), "n": torch.tensor(epoch)} for epoch in range(2)}


def scenario(folder, in_memory=IN_MEMORY):
    """Saves, a log and a setting; returns what was acknowledged and the errors."""
    store = SnapshotStore(folder / "run" / "snapshots", in_memory=in_memory)
    acknowledged, lines, errors, setting = [], [], [], None
    for epoch, state in states().items():
        try:
            acknowledged.append(store.save(state, epoch=epoch, step=7))
        except SnapshotError as error:
            errors.append(error)
        try:
            append_jsonl(folder / "run" / "metrics.jsonl", {"epoch": epoch})
            lines.append(epoch)
        except SnapshotError as error:
            errors.append(error)
        try:
            write_json(folder / "run" / "run.json", {"epoch": epoch})
            setting = epoch
        except SnapshotError as error:
            errors.append(error)
    return acknowledged, lines, setting, errors


def assert_kept(folder, acknowledged, lines, setting):
    store = SnapshotStore(folder / "run" / "snapshots")
    listed = store.list()
    assert store.skipped == [] and set(acknowledged) <= set(listed)
    for snapshot in listed:
        loaded = store.load(snapshot)
        assert all(torch.equal(loaded[name], value) for name, value in states()[snapshot.epoch].items())
    log = folder / "run" / "metrics.jsonl"
    read = [line["epoch"] for line in read_jsonl(log)] if log.exists() else []
    assert set(lines) <= set(read) <= {0, 1} and read == sorted(set(read))
    if setting is not None:
        assert read_json(folder / "run" / "run.json")["epoch"] >= setting
    assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []


def number_of_calls(folder, in_memory):
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults(patch)
        acknowledged, lines, setting, errors = scenario(folder, in_memory)
    assert len(acknowledged) == 2 and lines == [0, 1] and setting == 1 and not errors
    return faults.count


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        pytest.param(errno.ENOSPC, False, id="full_once"),
        pytest.param(errno.ENOSPC, True, id="full_from_then_on"),
        pytest.param(errno.EIO, False, id="broken_once"),
        pytest.param(errno.EINTR, False, id="interrupted_once"),
    ],
)
@pytest.mark.parametrize("in_memory", [IN_MEMORY, 0], ids=["in_memory", "streamed"])
def test_every_call_may_fail(tmp_path, error, lasting, in_memory):
    total = number_of_calls(tmp_path / "sound", in_memory)
    assert total > (40 if in_memory else 60)
    for at in range(1, total + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, at, error, lasting, torn=at % 2 == 0)
            acknowledged, lines, setting, errors = scenario(folder, in_memory)
        if not lasting:
            assert len(errors) == 1 and len(acknowledged) + len(lines) >= 3, at
        assert all(str(folder) in str(each) for each in errors), at
        assert_kept(folder, acknowledged, lines, setting)


def test_the_sentence_names_path_and_reason(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        Faults(patch, 1, errno.ENOSPC, lasting=True)
        with pytest.raises(SnapshotError, match=r"epoch-00001_step-000000002\.h5: No space left on device"):
            SnapshotStore(tmp_path).save({"w": torch.ones(1)}, epoch=1, step=2)
    assert list(tmp_path.iterdir()) == []


def test_trying_again_after_a_failure_succeeds(tmp_path):
    for at in range(1, 7):
        store = SnapshotStore(tmp_path / str(at))
        store.folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, at)
            with pytest.raises(KdprobeError):
                store.save({"w": torch.ones(1)}, epoch=1, step=2)
        assert store.list() in ([], [store.save({"w": torch.ones(1)}, epoch=1, step=2)])
        assert len(store.list()) == 1


def test_keeping_an_existing_file_syncs_its_folder(tmp_path):
    store = SnapshotStore(tmp_path)
    store.save({"w": torch.ones(1)}, epoch=1, step=2)
    with pytest.MonkeyPatch.context() as patch:
        synced = synced_paths(patch)
        store.save({"w": torch.ones(1)}, epoch=1, step=2)
    assert synced == [str(tmp_path)]


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    for at in range(1, 7):
        folder = tmp_path / str(at)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, at, KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                SnapshotStore(folder).save({"w": torch.ones(1)}, epoch=1, step=2)
        assert all(path.name == "epoch-00001_step-000000002.h5" for path in folder.iterdir())
        assert SnapshotStore(folder).list() is not None


def test_the_order_of_calls_is_write_sync_rename_sync(tmp_path):
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write", "fsync", "replace"):
            call = getattr(os, name)
            patch.setattr(os, name, lambda *args, _name=name, _call=call: calls.append(_name) or _call(*args))
        SnapshotStore(tmp_path).save({"w": torch.ones(1)}, epoch=1, step=2)
    assert calls == ["write", "fsync", "replace", "fsync"]


def test_short_writes_are_continued(tmp_path):
    write = os.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
        SnapshotStore(tmp_path).save({"w": torch.ones(500)}, epoch=1, step=2)
        append_jsonl(tmp_path / "m.jsonl", {"text": "x" * 500})
    store = SnapshotStore(tmp_path)
    assert store.load(store.list()[0])["w"].sum() == 500
    assert len(read_jsonl(tmp_path / "m.jsonl")[0]["text"]) == 500


def synced_paths(patch):
    paths = []
    patch.setattr(os, "fsync", lambda descriptor: paths.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    return paths


def test_each_line_of_a_log_is_synced_and_the_first_one_with_its_folder(tmp_path, monkeypatch):
    paths, log = synced_paths(monkeypatch), tmp_path / "m.jsonl"
    append_jsonl(log, {"step": 0})
    append_jsonl(log, {"step": 1})
    assert paths == [str(log), str(tmp_path), str(log)]


def test_a_line_that_failed_is_taken_back(tmp_path):
    log = tmp_path / "m.jsonl"
    append_jsonl(log, {"step": 0})
    before = log.read_bytes()
    for at in (2, 3):  # write (half of it is done), fsync
        with pytest.MonkeyPatch.context() as patch:
            Faults(patch, at, torn=True)
            with pytest.raises(SnapshotError, match="No space left"):
                append_jsonl(log, {"step": 1})
        assert log.read_bytes() == before


@fork_only
@pytest.mark.parametrize("in_memory", [IN_MEMORY, 0], ids=["in_memory", "streamed"])
def test_a_disk_that_is_full_at_any_byte(tmp_path, in_memory):
    state = {"a": torch.randn(40, 30), "b": torch.arange(300), "c": torch.ones(7).bool()}
    size = (
        SnapshotStore(tmp_path / "sound", in_memory=in_memory)
        .save(state, epoch=1, step=1)
        .path.stat()
        .st_size
    )

    def sweep():
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        failures = []
        for limit in [*range(0, size, 97), size - 1, size]:
            store = SnapshotStore(tmp_path / str(limit), in_memory=in_memory)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
            try:
                store.save(state, epoch=1, step=1)
            except SnapshotError as error:
                failures.append((limit, str(error)))
                assert store.list() == [] and list(store.folder.iterdir()) == []
            else:
                assert store.list() == [store.newest()] and store.skipped == []
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        return failures

    failures = in_child(sweep)
    assert [limit for limit, _ in failures] == [*range(0, size, 97), size - 1]
    assert all("epoch-00001_step-000000001.h5: File too large" in text for _, text in failures)


@pytest.mark.parametrize("in_memory", [IN_MEMORY, 0], ids=["in_memory", "streamed"])
def test_a_reader_may_look_at_any_moment(tmp_path, in_memory):
    writer, reader = (
        SnapshotStore(tmp_path, in_memory=in_memory),
        SnapshotStore(tmp_path, in_memory=in_memory),
    )
    done, seen, troubles = threading.Event(), set(), []

    def look():
        while not done.is_set():
            try:
                seen.update(int(reader.load(snapshot)["w"][0]) for snapshot in reader.list())
                troubles.extend(reader.skipped)
            except KdprobeError as error:
                troubles.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for epoch in range(30):
            writer.save({"w": torch.full((10_000,), float(epoch))}, epoch=epoch, step=0)
    finally:
        done.set()
        thread.join()
    assert troubles == [] and len(seen) > 1 and len(writer.list()) == 30


@fork_only
@pytest.mark.parametrize("in_memory", [IN_MEMORY, 0], ids=["in_memory", "streamed"])
def test_a_reader_in_another_process_disturbs_nobody(tmp_path, in_memory):
    def write():
        store = SnapshotStore(tmp_path, in_memory=in_memory)
        for epoch in range(30):
            store.save({"w": torch.full((10_000,), float(epoch))}, epoch=epoch, step=0)
            append_jsonl(tmp_path / "m.jsonl", {"epoch": epoch})
            write_json(tmp_path / "run.json", {"epoch": epoch})
        return True

    def look():
        store, looks, most = SnapshotStore(tmp_path, in_memory=in_memory), 0, 0
        while most < 30:
            most, looks = len(store.list()), looks + 1
            assert store.skipped == []
            newest = store.newest()
            if newest is not None:
                assert set(store.load(newest)["w"].tolist()) == {newest.epoch}
            if (tmp_path / "run.json").exists():
                assert read_json(tmp_path / "run.json")["epoch"] >= most - 2
        return looks

    reader, writer = started(look), started(write)
    assert writer() and reader() > 1
    assert len(read_jsonl(tmp_path / "m.jsonl")) == 30

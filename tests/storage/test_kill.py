"""Killed at any moment, by chance and at every system call: acknowledged is there, and all that is there is sound."""

import os
import random
import re
import shutil
import signal
import struct
import subprocess
import time
from functools import partial

import pytest
import torch
from storage.children import fork_only

from kdprobe.storage import SnapshotStore, append_jsonl, read_json, read_jsonl, write_json

pytestmark = fork_only
EPOCHS = 4


def state(epoch):
    return {"w": torch.full((100_000,), float(epoch)), "n": torch.tensor(epoch)}


def program(folder, tell, epochs=EPOCHS):
    """Saves epoch after epoch, at once and streamed in turn; tells what it was told is on the disk."""
    for epoch in range(epochs):
        store = SnapshotStore(folder / "snapshots", in_memory=0 if epoch % 2 else 10**9)
        store.save(state(epoch), epoch=epoch, step=epoch)
        tell(b"S", epoch)
        append_jsonl(folder / "m.jsonl", {"epoch": epoch})
        tell(b"L", epoch)
        write_json(folder / "run.json", {"epoch": epoch})
        tell(b"J", epoch)


def start(work):
    """A child that does `work(tell)` once something is written to the first pipe; what it tells is in the second."""
    begin, trigger = os.pipe()
    heard, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(trigger)
        os.close(heard)
        code = 1
        try:
            signal.alarm(60)
            os.read(begin, 1)
            os.write(mouth, b"!")
            work(lambda kind, epoch: os.write(mouth, struct.pack("<cI", kind, epoch)))
            code = 0
        finally:
            os._exit(code)
    os.close(begin)
    os.close(mouth)
    return child, trigger, heard


def go(trigger, heard):
    """Lets the child begin; returns when it has, or has ended."""
    os.write(trigger, b"x")
    os.read(heard, 1)


def ended(child, trigger, heard):
    """How the child ended (its code, or minus the signal), and what it had told."""
    os.close(trigger)
    data = b""
    while piece := os.read(heard, 65536):
        data += piece
    os.close(heard)
    told = {kind: [] for kind in (b"S", b"L", b"J")}
    for kind, epoch in struct.iter_unpack("<cI", data):
        told[kind].append(epoch)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


def check(folder, told):
    store = SnapshotStore(folder / "snapshots")
    listed = store.list()
    assert store.skipped == []
    assert set(told[b"S"]) <= {snapshot.epoch for snapshot in listed} <= set(range(len(told[b"S"]) + 1))
    for snapshot in listed:
        loaded = store.load(snapshot)
        assert all(torch.equal(loaded[name], value) for name, value in state(snapshot.epoch).items())
    log = folder / "m.jsonl"
    lines = [line["epoch"] for line in read_jsonl(log)] if log.exists() else []
    assert lines[: len(told[b"L"])] == told[b"L"] and lines == list(range(len(lines)))
    if told[b"J"]:
        assert read_json(folder / "run.json")["epoch"] >= told[b"J"][-1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torn")
def test_two_hundred_kills(tmp_path, monkeypatch):
    # only a power loss needs it, and most of the time would be spent in it
    monkeypatch.setattr(os, "fsync", lambda _: None)
    chance, codes, all_told = random.Random(0), [], []
    program(tmp_path / "warm", lambda *_: None)  # what a first time costs, all children have behind them
    times = []
    for number in range(5):
        child, trigger, heard = start(partial(program, tmp_path / f"whole-{number}"))
        go(trigger, heard)
        began = time.perf_counter()
        code, told = ended(child, trigger, heard)
        times.append(time.perf_counter() - began)
        assert code == 0 and told[b"J"] == list(range(EPOCHS))
    for number in range(200):
        child, trigger, heard = start(partial(program, tmp_path / str(number)))
        go(trigger, heard)
        time.sleep(chance.uniform(0, min(times)))
        os.kill(child, signal.SIGKILL)
        code, told = ended(child, trigger, heard)
        codes.append(code)
        all_told.append(told)
    for number, told in enumerate(all_told):  # not in between: a process that has just forked is slow
        check(tmp_path / str(number), told)
    assert codes.count(-signal.SIGKILL) > 100 and len({len(told[b"S"]) for told in all_told}) > 2


CALLS = "openat,write,pwrite64,fsync,rename,renameat,renameat2,mkdir,mkdirat,ftruncate,close,lseek,read"


def traced(folder, inject):
    """How the program ended, what it told, and the calls seen, while strace injects."""
    child, trigger, heard = start(lambda tell: program(folder, tell, epochs=2))
    log = folder.with_suffix(".strace")
    command = ["strace", "-f", "-p", str(child), "-o", str(log), "-e", f"trace={CALLS}"]
    tracer = subprocess.Popen(
        [*command, *(["-e", f"inject={inject}"] if inject else [])], stderr=subprocess.PIPE, text=True
    )
    line = tracer.stderr.readline()
    if "attached" not in line:
        os.kill(child, signal.SIGKILL)
        ended(child, trigger, heard)
        tracer.wait()
        pytest.skip(  # not a failure: the system forbids the tool; the kills above need none
            "strace makes system calls fail from outside, and this system (as many containers) does not let one "
            f"process trace another; test_faults.py makes the same calls fail from within. strace: {line.strip()}"
        )
    go(trigger, heard)
    result = ended(child, trigger, heard)
    tracer.wait()
    tracer.stderr.close()
    return *result, log.read_text()


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("strace") is None,
    reason="strace, a Debian package, makes system calls fail; test_faults.py fails them within",
)
@pytest.mark.filterwarnings("ignore:.*torn")
@pytest.mark.parametrize("how", ["signal=KILL", "error=ENOSPC", "error=EIO", "error=EINTR"])
@pytest.mark.parametrize("call", ["openat", "write", "fsync", "rename", "mkdir", "lseek"])
def test_every_system_call_may_be_the_last_or_fail(tmp_path, call, how):
    code, told, log = traced(tmp_path / "whole", None)
    assert code == 0 and told[b"J"] == [0, 1]
    total = len(re.findall(rf"\b{call}\(", log))
    assert total > 0
    stopped = 0
    for at in range(1, total + 1):
        folder = tmp_path / str(at)
        code, told, _ = traced(folder, f"{call}:{how}:when={at}")
        assert code in (0, 1, -signal.SIGKILL)
        stopped += code != 0
        check(folder, told)
        assert how == "signal=KILL" or list(folder.rglob("*.tmp")) == []
    # Python itself tries again what was interrupted by a signal
    assert stopped == 0 if how == "error=EINTR" and call in ("openat", "write", "fsync") else stopped > 0

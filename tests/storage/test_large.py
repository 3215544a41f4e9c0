"""States too large to be put together in memory: the same bytes, without the memory."""

import io
import json
import os
import random
import signal
import threading
import time

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from storage.children import fork_only, in_child
from storage.test_damage import sound_state
from storage.test_round_trip import NAMES, same, tensors

from kdprobe.errors import SnapshotCorruptError, SnapshotError
from kdprobe.storage import EntropyStore, SnapshotStore
from kdprobe.storage.dtypes import to_array
from kdprobe.storage.hollow import Hollow
from kdprobe.storage.image import Image

MEGABYTE = 2**20


def many():
    generator = torch.Generator().manual_seed(0)
    state = {f"layer{n}.weight": torch.randn(n % 7, n * 5, generator=generator) for n in range(300)}
    state["tied"] = state["layer5.weight"]
    state["turned"] = torch.randn(40, 30, generator=generator).t()
    return state | sound_state() | {"n" * 70_000: torch.zeros(70_000), "z": torch.tensor(1j)}


def saved(folder, state, in_memory):
    store = SnapshotStore(folder, in_memory=in_memory)
    return store.save(state, epoch=1, step=2, stage=1)


def test_a_streamed_file_has_the_bytes_of_one_made_in_memory(tmp_path):
    state = many()
    streamed, at_once = saved(tmp_path / "a", state, 0), saved(tmp_path / "b", state, 10**9)
    assert streamed.path.read_bytes() == at_once.path.read_bytes()
    assert streamed.digest == at_once.digest
    assert [each.name for each in streamed.path.parent.iterdir()] == [streamed.path.name]


def plain_image(header, entries, arrays):
    """The file as HDF5 alone writes it, every number through its own hands."""
    image = io.BytesIO()
    with h5py.File(image, "w", libver=("v110", "v110"), userblock_size=512, track_order=False) as file:
        file.attrs.create("header", np.bytes_(json.dumps(header, sort_keys=True)))
        group = file.create_group("tensors", track_order=False)
        for number, (entry, array) in enumerate(zip(entries, arrays, strict=True)):
            dataset = group.create_dataset(f"{number:06d}", data=array, track_times=False)
            values = {
                "names": entry.names,
                "order": entry.order,
                "dtype": entry.dtype,
                "sha256": entry.sha256,
            }
            dataset.attrs.create("header", np.bytes_(json.dumps(values, sort_keys=True)))
    return image.getvalue()[512:]


@settings(max_examples=60, deadline=None)
@given(state=st.dictionaries(NAMES, tensors(), max_size=6))
def test_hdf5_would_have_written_the_same_bytes(state):
    header = {"kind": "test"}
    image = Image(header, state)
    arrays = [to_array(state[entry.names[0]]) for entry in image.entries]
    content = b"".join(part for _, part in image.parts())
    assert content == plain_image(header, image.entries, arrays) and len(content) == image.size - 512


def test_hdf5_would_have_written_the_same_bytes_of_many_tensors():
    state = many()
    image = Image({}, state)
    arrays = [to_array(state[entry.names[0]]) for entry in image.entries]
    assert b"".join(part for _, part in image.parts()) == plain_image({}, image.entries, arrays)


@settings(max_examples=60, deadline=None)
@given(state=st.dictionaries(NAMES.filter(lambda name: "module." not in name), tensors(), max_size=6))
def test_any_state_dict_comes_back_tensor_by_tensor(tmp_path_factory, state):
    store = SnapshotStore(tmp_path_factory.mktemp("s"), in_memory=0)
    snapshot = store.save(state, epoch=1, step=2)
    loaded = store.load(snapshot)
    assert store.list() == [snapshot] and list(loaded) == list(state)
    assert all(same(loaded[name], tensor) for name, tensor in state.items())


def peak(work):
    """By how many bytes `work()` raised the peak of this process's memory."""
    import resource

    def most():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    before = most()
    work()
    return most() - before


@fork_only
@pytest.mark.parametrize("megabytes", [64, 256])
def test_memory_does_not_grow_with_the_model(tmp_path, megabytes):
    def work():
        state = {
            str(number): torch.ones(MEGABYTE) for number in range(megabytes // 4)
        }  # before the measurement
        store = SnapshotStore(tmp_path)
        store.save({"w": torch.ones(5 * MEGABYTE)}, epoch=0, step=0)  # what every first save takes
        found = []
        writing = peak(lambda: found.append(store.save(state, epoch=1, step=1)))
        listing = peak(lambda: found.extend(store.list()))
        assert found[0] == found[2] and found[0].path.stat().st_size > megabytes * MEGABYTE
        return writing, listing

    writing, listing = in_child(work)
    assert writing < 16 * MEGABYTE and listing < 16 * MEGABYTE


@fork_only
def test_a_model_that_takes_most_of_the_memory_is_saved_and_read(tmp_path):
    state = {str(number): torch.full((MEGABYTE,), float(number)) for number in range(48)}  # 192 MB

    def save():
        return SnapshotStore(tmp_path).save(state, epoch=1, step=1)

    def sums():
        store = SnapshotStore(tmp_path)
        return [value[0].item() for value in store.load(store.newest()).values()]

    snapshot = in_child(save, more_memory=100 * MEGABYTE)  # half of it
    assert SnapshotStore(tmp_path).list() == [snapshot]
    assert in_child(sums, more_memory=300 * MEGABYTE) == list(range(48))  # one and a half of it


def test_entropy_shards_and_snapshots_stream_from_the_same_size_on(tmp_path, monkeypatch):
    from storage.test_entropy_store import result

    streamed = []
    monkeypatch.setattr(
        "kdprobe.storage.image_file._streamed", lambda path, image: streamed.append(image.size) or "0" * 64
    )
    store = SnapshotStore(tmp_path)
    store.save({"w": torch.zeros(2**22 - 2**10)}, epoch=0, step=0)
    assert streamed == []
    store.save({"w": torch.zeros(2**22)}, epoch=1, step=0)
    EntropyStore(tmp_path).save("x", 0, result(2, grid=800, deviations=3), ("a", "b"))
    assert len(streamed) == 2 and all(size > 2**24 for size in streamed)


def test_a_tensor_that_changes_meanwhile_is_noticed(tmp_path, monkeypatch):
    from kdprobe.storage import image_file

    state = {"a": torch.zeros(1000), "b": torch.zeros(1000)}
    write = image_file.write_all

    def write_and_change(descriptor, data):
        write(descriptor, data)
        state["b"][7] = 1

    monkeypatch.setattr(image_file, "write_all", write_and_change)
    with pytest.raises(SnapshotError, match=r"step-000000002\.h5: tensor 'b' is not on the disk as it was"):
        saved(tmp_path, state, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_gives_back_other_bytes_is_noticed(tmp_path):
    read = os.read
    for wrong in (lambda data: data[:-1] + b"\x7f", lambda data: b""):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "read", lambda descriptor, size, wrong=wrong: wrong(read(descriptor, size)))
            with pytest.raises(SnapshotError, match=r"not on the disk|less than was written"):
                saved(tmp_path, {"a": torch.ones(1000)}, 0)
        assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_verified_on_the_disk(tmp_path):
    snapshot = saved(tmp_path, many(), 0)
    store, data = SnapshotStore(tmp_path, in_memory=0), snapshot.path.read_bytes()
    chance = random.Random(0)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        snapshot.path.write_bytes(damaged)
        with pytest.raises(SnapshotCorruptError):
            store.load(snapshot)
    snapshot.path.write_bytes(data[:-1])
    assert store.list() == []


class Failing(io.FileIO):
    """Reads the first `left` times."""

    left = 0

    def readinto(self, buffer):
        Failing.left -= 1
        if Failing.left < 0:
            raise OSError(5, os.strerror(5))
        return super().readinto(buffer)


@fork_only
def test_a_large_file_that_cannot_be_read_on_is_an_error_at_every_read(tmp_path, monkeypatch):
    state = {str(number): torch.randn(1 + 300 * number) for number in range(20)}
    snapshot = saved(tmp_path, state, 0)
    monkeypatch.setattr("kdprobe.storage.envelope.io.FileIO", Failing)

    def sweep():
        outcomes = []
        while not outcomes or outcomes[-1] is not None:
            Failing.left = len(outcomes)
            try:
                loaded = SnapshotStore(tmp_path, in_memory=0).load(snapshot)
                assert all(same(loaded[name], value) for name, value in state.items())
                outcomes.append(None)
            except SnapshotError as error:
                outcomes.append(str(error))
        return outcomes[:-1]

    outcomes = in_child(sweep)
    assert len(outcomes) > 20 and all("Input/output error" in each for each in outcomes)


@fork_only
def test_an_interrupt_at_any_moment_is_only_an_interrupt(tmp_path):
    state = {str(number): torch.full((500,), float(number)) for number in range(60)}

    def storm():
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        store, saved_steps, interrupts, chance = SnapshotStore(tmp_path), 0, 0, random.Random(0)
        for step in range(60):
            store.in_memory = 0 if step % 2 else 10**9
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-4, 0.03))
                store.save(state, epoch=0, step=step)
                signal.setitimer(signal.ITIMER_REAL, 0)  # it rings once: nothing is left of it where it rang
                saved_steps += 1
            except KeyboardInterrupt:
                interrupts += 1
        return saved_steps, interrupts

    saved_steps, interrupts = in_child(storm)
    assert interrupts > 5
    store = SnapshotStore(tmp_path)
    assert len(store.list()) >= saved_steps and store.skipped == []
    assert [path for path in tmp_path.iterdir() if path.suffix != ".h5"] == []


@fork_only
@pytest.mark.parametrize("method", ["seek", "tell", "write", "truncate"])
def test_an_interrupt_while_hdf5_calls_back_does_not_reach_hdf5(tmp_path, monkeypatch, method):
    call = getattr(Hollow, method)

    def interrupted(self, *args):
        signal.raise_signal(signal.SIGINT)
        return call(self, *args)

    def save():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        monkeypatch.setattr(Hollow, method, interrupted)
        with pytest.raises(KeyboardInterrupt):
            saved(tmp_path, {"w": torch.ones(3)}, 0)

    in_child(save)
    assert list(tmp_path.iterdir()) == []


def test_saving_works_in_several_threads(tmp_path):
    def save(number):
        SnapshotStore(tmp_path, in_memory=0).save({"w": torch.full((5000,), number)}, epoch=number, step=0)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = SnapshotStore(tmp_path)
    assert [store.load(snapshot)["w"][0].item() for snapshot in store.list()] == list(range(8))


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["write", "truncate", "read"]), st.integers(0, 20_000), st.binary(max_size=50)
        ),
        max_size=20,
    )
)
def test_a_hollow_file_is_a_file(steps):
    hollow, plain = Hollow(), io.BytesIO()
    for step, position, data in steps:
        data = data * (1 + position % 300)
        if step == "truncate":
            plain.seek(0, os.SEEK_END)
            plain.write(bytes(max(0, position - plain.tell())))
            plain.truncate(position)
            hollow.truncate(position)
            continue
        hollow.seek(position)
        plain.seek(0, os.SEEK_END)
        if plain.tell() < position and step == "write" and data:
            plain.write(bytes(position - plain.tell()))
        plain.seek(position)
        if step == "write":
            assert hollow.write(memoryview(data)) == plain.write(data)
        else:
            assert hollow.read(len(data)) == plain.read(len(data))
        assert hollow.tell() == plain.tell()
    assert hollow.part(0, hollow.size) == plain.getvalue()


def test_a_hollow_file_takes_no_room_for_zeros():
    hollow = Hollow()
    hollow.seek(10**12)
    began = time.perf_counter()
    hollow.write(bytes(10**6))
    hollow.write(b"x")
    assert hollow.size == 10**12 + 10**6 + 1 and len(hollow._pages) == 1 and time.perf_counter() - began < 5


def test_a_tensor_that_changes_before_it_is_put_together_is_noticed(tmp_path, monkeypatch):
    from kdprobe.storage.image import Image

    state, parts = {"a": torch.zeros(1000), "b": torch.zeros(1000)}, Image.parts

    def change_first(image):
        state["b"][7] = 1
        return parts(image)

    monkeypatch.setattr(Image, "parts", change_first)
    with pytest.raises(SnapshotError, match=r"step-000000002\.h5: tensor 'b' changed"):
        saved(tmp_path, state, 10**9)
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_while_another_thread_trains_is_refused_or_can_be_read(tmp_path):
    model, over = torch.nn.Sequential(*(torch.nn.Linear(100, 100) for _ in range(6))), threading.Event()

    def train():
        with torch.no_grad():
            while not over.is_set():
                for parameter in model.parameters():
                    parameter.add_(1e-3)

    thread, store, acknowledged = threading.Thread(target=train), SnapshotStore(tmp_path), []
    thread.start()
    try:
        for step in range(20):
            try:
                acknowledged.append(store.save(model, epoch=0, step=step))
            except SnapshotError as error:
                assert "changed" in str(error)
    finally:
        over.set()
        thread.join()
    assert store.list() == acknowledged
    for snapshot in acknowledged:
        store.load(snapshot)

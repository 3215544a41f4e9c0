"""Damage is named, never returned as numbers."""

import hashlib
import os
import random
import shutil

import h5py
import pytest
import torch

from kdprobe.errors import SnapshotCorruptError, SnapshotError
from kdprobe.storage import Snapshot, SnapshotStore

NAME = "epoch-00001_step-000000002.h5"


def sound_state():
    weight = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    return {"a.w": weight, "n": torch.tensor(7), "b": torch.ones(3).bfloat16(), "tied": weight}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    store = SnapshotStore(tmp_path_factory.mktemp("sound"))
    return store.save(sound_state(), epoch=1, step=2).path.read_bytes()


def assert_refused(folder, data):
    path = folder / NAME
    path.write_bytes(data)
    store = SnapshotStore(folder)
    with pytest.raises(SnapshotCorruptError, match=NAME):
        store.load(path)
    assert store.list() == [] and [skipped for skipped, _ in store.skipped] == [path]


def test_the_undamaged_file_is_read(tmp_path, sound):
    (tmp_path / NAME).write_bytes(sound)
    store = SnapshotStore(tmp_path)
    assert len(store.list()) == 1 and store.load(store.list()[0])["n"].item() == 7


def test_every_flipped_bit_is_noticed(tmp_path, sound):
    chance = random.Random(0)
    in_block = [8 * byte + chance.randrange(8) for byte in range(512)]
    for bit in in_block + [chance.randrange(512 * 8, len(sound) * 8) for _ in range(300)]:
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        assert_refused(tmp_path, damaged)


def test_every_other_length_is_noticed(tmp_path, sound):
    lengths = random.Random(1).sample(range(len(sound)), 200)
    for length in [0, 1, 511, 512, 513, len(sound) - 1, *lengths]:
        assert_refused(tmp_path, sound[:length])
    assert_refused(tmp_path, sound + b"\0")
    with pytest.raises(
        SnapshotCorruptError, match=f"{len(sound) - 511} bytes follow the user block, {len(sound) - 512}"
    ):
        SnapshotStore(tmp_path).load(tmp_path / NAME)
    assert_refused(tmp_path, sound + sound)
    assert_refused(tmp_path, bytes(len(sound)))


def test_hdf5_sees_no_byte_of_a_damaged_file(tmp_path, sound, monkeypatch):
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("HDF5 was given a damaged file"))
    assert_refused(tmp_path, sound[:-1] + bytes([sound[-1] ^ 1]))


def test_a_newer_schema_is_not_called_damage(tmp_path, sound):
    head = sound[: sound.index(b"block ")].replace(b"schema 1\n", b"schema 2\n")
    block = head + b"block " + hashlib.sha256(head).hexdigest().encode() + b"\n"
    (tmp_path / NAME).write_bytes(block.ljust(512, b"\0") + sound[512:])
    store = SnapshotStore(tmp_path)
    with pytest.raises(SnapshotError, match="schema 2, newer than the 1") as caught:
        store.load(tmp_path / NAME)
    assert not isinstance(caught.value, SnapshotCorruptError)
    assert store.list() == [] and "install a newer kdprobe" in store.skipped[0][1]
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(SnapshotError, match="newer"):
        store.save({"w": torch.ones(1)}, epoch=1, step=2)
    assert (tmp_path / NAME).read_bytes() == before


def test_name_and_stored_numbers_must_agree(tmp_path, sound):
    store = SnapshotStore(tmp_path)
    names = [
        "epoch-00002_step-000000002.h5",
        "epoch-0000001_step-000000002.h5",
        "copy.h5",
        "epoch-1_step-2.h5",
    ]
    for name in names:
        (tmp_path / name).write_bytes(sound)
    assert store.list() == [] and sorted(path.name for path, _ in store.skipped) == sorted(names)
    with pytest.raises(SnapshotCorruptError, match="not what its name says"):
        store.load(tmp_path / names[0])


def test_other_things_in_the_folder_do_no_harm(tmp_path, sound):
    (tmp_path / NAME).write_bytes(sound)
    (tmp_path / f".{NAME}.123-abc.tmp").write_bytes(sound[:100])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "epoch-00009_step-000000009.h5").mkdir()
    os.mkfifo(tmp_path / "epoch-00008_step-000000008.h5")
    (tmp_path / "epoch-00007_step-000000007.h5").symlink_to(tmp_path / "nowhere")
    store = SnapshotStore(tmp_path)
    assert [snapshot.path.name for snapshot in store.list()] == [NAME]
    reasons = {path.name: reason for path, reason in store.skipped}
    assert len(reasons) == 4 and "not a regular file" in reasons["epoch-00008_step-000000008.h5"]


def test_a_file_swapped_after_listing_is_noticed(tmp_path):
    store, other = SnapshotStore(tmp_path / "a"), SnapshotStore(tmp_path / "b")
    listed = store.save({"w": torch.zeros(3)}, epoch=1, step=2)
    shutil.copy(other.save({"w": torch.ones(3)}, epoch=1, step=2).path, listed.path)
    with pytest.raises(SnapshotCorruptError, match="changed since it was listed"):
        store.load(listed)


def test_saving_over_a_damaged_file_mends_it_with_a_warning(tmp_path, sound):
    (tmp_path / NAME).write_bytes(sound[:700])
    store = SnapshotStore(tmp_path)
    with pytest.warns(UserWarning, match="damaged.*written anew"):
        snapshot = store.save({"w": torch.ones(2)}, epoch=1, step=2)
    assert store.list() == [snapshot] and store.load(snapshot)["w"].tolist() == [1, 1]


def test_a_missing_file_is_named(tmp_path):
    missing = Snapshot(tmp_path / NAME, 1, 2, 0, "0" * 64)
    with pytest.raises(SnapshotError, match=f"{NAME}: No such file"):
        SnapshotStore(tmp_path).load(missing)

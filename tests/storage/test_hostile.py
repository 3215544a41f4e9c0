"""Files with sound digests that claim what they must not: the guards refuse them, each for its own reason."""

import io
import struct

import h5py
import numpy as np
import pytest
from storage import hostile
from storage.hostile import REFUSED, groups, header, tensor, write, write_sealed

from kdprobe.errors import SnapshotCorruptError
from kdprobe.storage import SnapshotStore

ON_LOAD_ONLY = {hostile.wrong_digest, hostile.two_is_no_bool, hostile.not_complex}
LISTED = [build for build in REFUSED if build not in ON_LOAD_ONLY]


def test_the_plain_file_is_read(tmp_path):
    loaded = SnapshotStore(tmp_path).load(write(tmp_path, tensor))
    assert loaded["w"].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_hostile_files_are_refused(tmp_path, build):
    path = write(tmp_path, build)
    with pytest.raises(SnapshotCorruptError, match=REFUSED[build]) as caught:
        SnapshotStore(tmp_path).load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("build", LISTED, ids=lambda build: build.__name__)
def test_hostile_files_are_not_listed(tmp_path, build):
    store = SnapshotStore(tmp_path)
    write(tmp_path, build)
    assert store.list() == [] and len(store.skipped) == 1


def test_data_sets_that_share_their_bytes_cannot_claim_more_than_the_file(tmp_path):
    image, size = io.BytesIO(), 40_000
    with h5py.File(image, "w", libver=("earliest", "v110"), userblock_size=512) as file:
        header(file)
        tensor(file, data=np.zeros(size // 4, dtype="<f4"))
        for number in range(1, 9):
            changes = {"names": [str(number)], "order": [number]}
            tensor(file, f"tensors/{number:06d}", changes, data=None, shape=(size // 4,), dtype="<f4")
        start = file["tensors/000000"].id.get_offset() - 512
    layout = b"\3\1%s" + struct.pack("<Q", size)  # contiguous: address, size
    content = image.getvalue()[512:]
    assert (
        content.count(layout % (b"\xff" * 8)) == 8 and content.count(layout % struct.pack("<Q", start)) == 1
    )
    content = content.replace(layout % (b"\xff" * 8), layout % struct.pack("<Q", start))
    with pytest.raises(SnapshotCorruptError, match="claim more bytes than"):
        SnapshotStore(tmp_path).load(write_sealed(tmp_path, content))


def test_too_many_objects_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("kdprobe.storage.guards.MAX_TENSORS", 100)
    with pytest.raises(SnapshotCorruptError, match="10000 objects, at most 100"):
        SnapshotStore(tmp_path).load(write(tmp_path, groups))

"""Files with sound digests that claim what they must not: the guards refuse them, each for its own reason."""

import io
import struct

import h5py
import numpy as np
import pytest
from storage import hostile
from storage.children import fork_only, in_child
from storage.hostile import groups, header, tensor, write, write_sealed

from kdprobe.errors import SnapshotCorruptError
from kdprobe.storage import SnapshotStore

REFUSED = {
    hostile.external_link: "soft or external link",
    hostile.soft_link: "links where 1 are expected",
    hostile.soft_link_alone: "soft or external link",
    hostile.linked_group: "soft or external link",
    hostile.external_storage: "external storage",
    hostile.virtual: "virtual data set",
    hostile.text_objects: "plain numbers",
    hostile.lists: "plain numbers",
    hostile.references: "plain numbers",
    hostile.compound: "plain numbers",
    hostile.booleans: "plain numbers",
    hostile.filtered: "filters",
    hostile.unknown_filter: "filters",
    hostile.chunked: "not contiguous",
    hostile.huge: r"claims shape \(1099511627776,\)",
    hostile.unwritten: "not in the file",
    hostile.no_shape: "no shape",
    hostile.groups: "not a data set",
    hostile.deep_group: "not a data set",
    hostile.cycle: "not a data set",
    hostile.stored_type: "not a data set",
    hostile.twice: "do not form one state",
    hostile.same_name: "do not form one state",
    hostile.same_place: "do not form one state",
    hostile.gap: "no link 000000",
    hostile.extra: "2 links where 1",
    hostile.big_endian: "holds >f4",
    hostile.other_dtype: "not how a 'bfloat16' tensor",
    hostile.unknown_dtype: "not how a 'object' tensor",
    hostile.wrong_digest: "sha256 of tensor 'w'",
    hostile.two_is_no_bool: "neither 0 nor 1",
    hostile.not_complex: "axis of length 2",
    hostile.names_missing: "lacks names",
    hostile.number_as_name: "lacks names",
    hostile.not_json: "not JSON",
    hostile.json_list: "not a JSON object",
    hostile.deep_json: "not JSON",
    hostile.header_of_any_length: "fixed length",
    hostile.header_of_numbers: "fixed length",
    hostile.many_attributes: "expected one attribute",
    hostile.no_header: "expected one attribute",
    hostile.other_kind: "not a file of kind 'snapshot'",
    hostile.negative_epoch: "epoch, step or stage is missing",
    hostile.other_epoch: "not what its name says",
}
ON_LOAD_ONLY = {hostile.wrong_digest, hostile.two_is_no_bool, hostile.not_complex}
LISTED = [build for build in REFUSED if build not in ON_LOAD_ONLY]


def test_the_plain_file_is_read(tmp_path):
    loaded = SnapshotStore(tmp_path).load(write(tmp_path, tensor))
    assert loaded["w"].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("in_memory", [2**24, 0], ids=["in_memory", "streamed"])
@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_hostile_files_are_refused(tmp_path, build, in_memory):
    path = write(tmp_path, build)
    with pytest.raises(SnapshotCorruptError, match=REFUSED[build]) as caught:
        SnapshotStore(tmp_path, in_memory=in_memory).load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("build", LISTED, ids=lambda build: build.__name__)
def test_hostile_files_are_not_listed(tmp_path, build):
    store = SnapshotStore(tmp_path)
    write(tmp_path, build)
    assert store.list() == [] and len(store.skipped) == 1


@fork_only
@pytest.mark.parametrize("in_memory", [2**24, 0], ids=["in_memory", "streamed"])
def test_hostile_files_take_neither_memory_nor_time(tmp_path, in_memory):
    def sweep():
        store, refused = SnapshotStore(tmp_path, in_memory=in_memory), 0
        for build in REFUSED:
            path = write(tmp_path, build)
            try:
                store.load(path)
            except SnapshotCorruptError:
                refused += 1
        return refused

    assert in_child(sweep, more_memory=200 * 2**20, seconds=60) == len(REFUSED)


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

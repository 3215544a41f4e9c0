"""A run out of a packed file, byte for byte; looked through before anything is written, whoever made it."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5s, h5t

from kdprobe.errors import SnapshotCorruptError
from kdprobe.storage.atomic import write_atomically
from kdprobe.storage.contents import opened_hdf5
from kdprobe.storage.envelope import BLOCK, IN_MEMORY, opened_verified
from kdprobe.storage.guarded_items import link_names, linked_dataset, number_attribute, text_attribute
from kdprobe.storage.guards import Refused, check_storage
from kdprobe.storage.pack import Packed
from kdprobe.storage.packed_layout import KIND, REST, TENSORS
from kdprobe.storage.whole_folder import whole_folder

_MAX_DEPTH = 8  # of groups that hold files, and of paths
_NAME = re.compile(r"[^./\\\0][^/\\\0]{0,199}")  # no hidden file, no way out of the folder
_ITEM = (h5g.GroupID, h5d.DatasetID)


def unpack_run(file: str | Path, run: str | Path) -> Packed:
    """Makes the new folder `run` out of the packed `file`; every file in it is as it was, byte for byte.

    One file of the run at a time is in memory.

    Raises SnapshotCorruptError if `file` is damaged, no packed run, or claims what it must not; SnapshotError if
    it cannot be read, comes from a newer kdprobe, or if `run` is no new or empty folder. Then nothing is written.
    """
    with whole_folder(run) as folder:
        files = size = 0
        for name, data in _files(Path(file)):
            write_atomically(folder.joinpath(*name.split("/")), data)
            files, size = files + 1, size + len(data)
            del data  # before the next one takes its room
    return Packed(Path(run), files, size)


def check_packed(file: str | Path) -> Packed | None:
    """What is in the packed `file`, every byte verified; None if it is a sound file of another kind.

    Raises SnapshotCorruptError, or SnapshotError if it cannot be read or comes from a newer kdprobe.
    """
    try:
        files = sum(1 for _ in _files(Path(file)))
    except _OtherKind:
        return None
    return Packed(Path(file), files, Path(file).stat().st_size)


class _OtherKind(SnapshotCorruptError):
    """The file is sound, but no packed run."""


def _files(file: Path) -> Iterator[tuple[str, memoryview]]:
    """Path in the run and bytes of each file in the packed `file`, verified."""
    with opened_verified(file, IN_MEMORY) as (content, size, _), opened_hdf5(file, content) as packed:
        root = packed["/"].id
        if not h5a.exists(root, b"kind") or text_attribute(root, "kind", size) != KIND:
            raise _OtherKind(f"{file} is no packed run; give a file that kdprobe pack wrote.")
        yield from _guarded_files(root, content, size)


def _guarded_files(root: h5g.GroupID, content: BinaryIO, size: int) -> Iterator[tuple[str, memoryview]]:
    names, given = set(), 0
    for item in _items(root, size, _MAX_DEPTH, [size // 32]):
        name = text_attribute(item, "file", size)
        parts = name.split("/")
        if len(parts) > _MAX_DEPTH or not all(map(_NAME.fullmatch, parts)) or name in names:
            raise Refused(f"it names a file {name[:80]!r}, which no run has (or has twice)")
        names.add(name)
        is_text = isinstance(item, h5d.DatasetID)
        data = _whole_text(item, size) if is_text else _whole_file(item, content, size)
        given += len(data)
        if given > size:
            raise Refused(f"its files claim more bytes than the {size} of it")
        if hashlib.sha256(data[0 if is_text else BLOCK :]).hexdigest() != text_attribute(
            item, "sha256", size
        ):
            raise Refused(f"the sha256 of {name} is not the one that was packed")
        yield name, data
        del data  # before the next one takes its room


def _items(
    group: h5g.GroupID, size: int, depth: int, left: list[int]
) -> Iterator[h5g.GroupID | h5d.DatasetID]:
    """The groups and data sets below `group` that stand for a file; `left`: so many objects may still follow."""
    if depth == 0:
        raise Refused("its groups are nested too deep")
    for name in link_names(group):
        left[0] -= 1
        if left[0] < 0:
            raise Refused("it has more objects than its size allows")
        item = h5o.open(group, name)
        if not isinstance(item, _ITEM):
            raise Refused("it holds something that is neither group nor data set")
        if h5a.exists(item, b"file"):
            yield item
        elif isinstance(item, h5g.GroupID):
            yield from _items(item, size, depth - 1, left)
        else:
            raise Refused(f"the data set {name[:80]!r} stands for no file")


def _whole_text(dataset: h5d.DatasetID, size: int) -> memoryview:
    check_storage("a text", dataset, size, (h5t.STRING,))
    if dataset.get_type().is_variable_str() or dataset.get_space().get_simple_extent_type() != h5s.SCALAR:
        raise Refused("a text is not of fixed length")
    length, text = number_attribute(dataset, "bytes"), np.empty((), dtype=dataset.dtype)
    dataset.read(h5s.ALL, h5s.ALL, text)
    return memoryview(text.tobytes())[:length]


def _whole_file(group: h5g.GroupID, content: BinaryIO, size: int) -> memoryview:
    """The original file: its tensors at their places, and between them the rest."""
    inner = h5o.open(group, TENSORS.encode())
    if not isinstance(inner, h5g.GroupID):
        raise Refused(f"{TENSORS} is not a group")
    pieces, claimed, seen = [], 0, set()
    for name in link_names(inner):
        dataset = linked_dataset(inner, name)
        place = h5o.get_info(dataset).addr
        if place not in seen:  # a tied tensor has a link for each name
            seen.add(place)
            length = check_storage(f"the tensor {name[:80]!r}", dataset, size)
            claimed += length
            if claimed > size:
                raise Refused(f"its tensors claim more bytes than the {size} of it")
            if length:
                pieces.append((number_attribute(dataset, "offset"), dataset.get_offset(), length))
    rest = linked_dataset(group, REST.encode())
    left = check_storage(REST, rest, size)
    if claimed + left > size:
        raise Refused(f"its tensors claim more bytes than the {size} of it")
    return _joined(sorted(pieces), (rest.get_offset() or 0, left), content, claimed + left)


def _joined(
    pieces: list[tuple[int, int, int]], rest: tuple[int, int], content: BinaryIO, size: int
) -> memoryview:
    """The `size` bytes of a file: each piece (offset there, offset in `content`, length), the rest around them."""
    data, position = memoryview(np.empty(size, np.uint8)), 0
    source, left = rest
    for offset, start, length in [*pieces, (size, 0, 0)]:
        gap = offset - position
        if gap < 0 or gap > left:
            raise Refused("its tensors do not fit into their file")
        _read_into(data[position:offset], content, source)
        _read_into(data[offset : offset + length], content, start)
        source, left, position = source + gap, left - gap, offset + length
    return data


def _read_into(place: memoryview, content: BinaryIO, start: int) -> None:
    content.seek(start)
    while len(place):
        got = content.readinto(place)
        if not got:
            raise Refused("it ends before its tensors")
        place = place[got:]

"""What an HDF5 image may hold at all: looked at before a single number is read, whoever made the file."""

import json
import math
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from kdprobe.storage.dtypes import stored_dtype
from kdprobe.storage.image import GROUP, HEADER, MAX_TENSORS, Entry


class Refused(Exception):
    """The file claims what it must not; the text says what."""


def guarded_contents(file: h5py.File, size: int) -> tuple[dict[str, Any], list[tuple[Entry, h5d.DatasetID]]]:
    """Header and entries (with their open data sets) of an image of `size` bytes; no tensor is read yet.

    Raises Refused for links that are not hard, objects that are not data sets, external or virtual storage,
    chunks and filters, types that are not plain numbers, and sizes beyond what the file can hold.
    """
    root = file["/"].id
    _check_links(root, {GROUP})
    header = _header(root, size)
    group = h5o.open(root, GROUP.encode())
    if not isinstance(group, h5g.GroupID):
        raise Refused(f"{GROUP} is not a group")
    if h5a.get_num_attrs(group) != 0:
        raise Refused(f"{GROUP} has attributes")
    count = group.get_num_objs()
    if count > MAX_TENSORS:
        raise Refused(f"{count} objects, at most {MAX_TENSORS} are allowed")
    _check_links(group, {f"{number:06d}" for number in range(count)})
    contents, claimed = [], 0
    for number in range(count):
        name = f"{GROUP}/{number:06d}"
        dataset = h5o.open(group, f"{number:06d}".encode())
        if not isinstance(dataset, h5d.DatasetID):
            raise Refused(f"{name} is not a data set")
        claimed += check_storage(name, dataset, size)
        if claimed > size:
            raise Refused(f"the tensors claim more bytes than the {size} of the file")
        contents.append((_entry(name, dataset, size), dataset))
    positions = sorted(position for entry, _ in contents for position in entry.order)
    names = {each for entry, _ in contents for each in entry.names}
    if positions != list(range(len(positions))) or len(names) != len(positions):
        raise Refused("the tensor names do not form one state")
    return header, contents


def _check_links(group: h5g.GroupID, expected: set[str]) -> None:
    count = group.get_num_objs()
    if count != len(expected):
        raise Refused(f"{count} links where {len(expected)} are expected")
    for name in expected:
        if not group.links.exists(name.encode()):
            raise Refused(f"no link {name}")
        if group.links.get_info(name.encode()).type != h5l.TYPE_HARD:
            raise Refused(f"{name} is a soft or external link")


def check_storage(
    name: str, dataset: h5d.DatasetID, size: int, classes: tuple[int, ...] = (h5t.INTEGER, h5t.FLOAT)
) -> int:
    """The bytes that the data set holds, all of them inside the file of `size` bytes. Raises Refused."""
    plan = dataset.get_create_plist()
    if plan.get_layout() == h5d.VIRTUAL:
        raise Refused(f"{name} is a virtual data set")
    if plan.get_external_count() > 0:
        raise Refused(f"{name} lies in external storage")
    if plan.get_nfilters() > 0:
        raise Refused(f"{name} passes through filters")
    if plan.get_layout() != h5d.CONTIGUOUS:
        raise Refused(f"{name} is not contiguous")
    kind = dataset.get_type()
    if kind.get_class() not in classes:
        raise Refused(f"{name} does not hold plain numbers")
    space = dataset.get_space()
    if space.get_simple_extent_type() not in (h5s.SCALAR, h5s.SIMPLE):
        raise Refused(f"{name} has no shape")
    shape = space.get_simple_extent_dims()
    claimed = math.prod(shape) * kind.get_size()
    if claimed > size:
        raise Refused(f"{name} claims shape {shape}, more than the file of {size} bytes can hold")
    offset = dataset.get_offset()
    if claimed and (offset is None or dataset.get_storage_size() != claimed or offset + claimed > size):
        raise Refused(f"{name} claims {claimed} bytes that are not in the file")
    return claimed


def _entry(name: str, dataset: h5d.DatasetID, size: int) -> Entry:
    values = _header(dataset, size)
    names, order, dtype, digest = (values.get(key) for key in ("names", "order", "dtype", "sha256"))
    sound = (
        isinstance(names, list)
        and all(isinstance(each, str) for each in names)
        and isinstance(order, list)
        and all(type(each) is int for each in order)
        and len(names) == len(order) > 0
        and isinstance(dtype, str)
        and isinstance(digest, str)
    )
    if not sound:
        raise Refused(f"the header of {name} lacks names, order, dtype or sha256")
    expected = stored_dtype(dtype)
    if expected is None or dataset.dtype != expected:
        raise Refused(f"{name} holds {dataset.dtype}, which is not how a {dtype[:40]!r} tensor is stored")
    shape = tuple(dataset.shape)
    return Entry(
        tuple(names), tuple(order), dtype, shape[:-1] if dtype.startswith("complex") else shape, digest
    )


def _header(item: h5g.GroupID | h5d.DatasetID, size: int) -> dict[str, Any]:
    """The JSON object in the only attribute of `item`."""
    if h5a.get_num_attrs(item) != 1 or not h5a.exists(item, HEADER.encode()):
        raise Refused(f"expected one attribute, named {HEADER}")
    attribute = h5a.open(item, HEADER.encode())
    kind = attribute.get_type()
    if kind.get_class() != h5t.STRING or kind.is_variable_str() or kind.get_size() > size:
        raise Refused(f"{HEADER} is not a text of fixed length")
    if attribute.get_space().get_simple_extent_type() != h5s.SCALAR:
        raise Refused(f"{HEADER} is not a single text")
    text = np.empty((), dtype=attribute.dtype)
    attribute.read(text)
    try:
        values = json.loads(text.item().decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{HEADER} is not JSON") from error
    if not isinstance(values, dict):
        raise Refused(f"{HEADER} is not a JSON object")
    return values

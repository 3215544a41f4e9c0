"""Links, data sets and plain attributes of an HDF5 file that anyone may have made: read only as what they must be."""

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from kdprobe.storage.guards import Refused
from kdprobe.storage.image import MAX_TENSORS


def link_names(group: h5g.GroupID) -> list[bytes]:
    """The names in `group`. Raises Refused at more than MAX_TENSORS of them, or at a link that is not hard."""
    count = group.get_num_objs()
    if count > MAX_TENSORS:
        raise Refused(f"{count} objects in a group, at most {MAX_TENSORS} are allowed")
    names: list[bytes] = []
    group.links.iterate(names.append)
    for name in names:
        if group.links.get_info(name).type != h5l.TYPE_HARD:
            raise Refused(f"{name[:80]!r} is a soft or external link")
    return names


def linked_dataset(group: h5g.GroupID, name: bytes) -> h5d.DatasetID:
    """The data set `name` in `group`. Raises Refused if there is none behind a hard link."""
    if not group.links.exists(name) or group.links.get_info(name).type != h5l.TYPE_HARD:
        raise Refused(f"no hard link {name[:80]!r}")
    item = h5o.open(group, name)
    if not isinstance(item, h5d.DatasetID):
        raise Refused(f"{name[:80]!r} is not a data set")
    return item


def _attribute(item: h5g.GroupID | h5d.DatasetID, name: str, kind: int) -> h5a.AttrID:
    if not h5a.exists(item, name.encode()):
        raise Refused(f"the attribute {name} is missing")
    attribute = h5a.open(item, name.encode())
    found = attribute.get_type()
    variable = found.get_class() == h5t.STRING and found.is_variable_str()
    if found.get_class() != kind or variable or attribute.get_space().get_simple_extent_type() != h5s.SCALAR:
        raise Refused(f"the attribute {name} is not what it should be")
    return attribute


def text_attribute(item: h5g.GroupID | h5d.DatasetID, name: str, size: int) -> str:
    """The text of fixed length, at most `size` bytes, in the attribute `name`. Raises Refused if it is no such."""
    attribute = _attribute(item, name, h5t.STRING)
    if attribute.get_type().get_size() > size:
        raise Refused(f"the attribute {name} is longer than the file")
    text = np.empty((), dtype=attribute.dtype)
    attribute.read(text)
    return text.item().decode("utf-8", "surrogateescape")


def number_attribute(item: h5d.DatasetID, name: str) -> int:
    """The whole number, at least 0, in the attribute `name`. Raises Refused if it is no such."""
    attribute = _attribute(item, name, h5t.INTEGER)
    number = np.empty((), dtype=attribute.dtype)
    attribute.read(number)
    if number < 0:
        raise Refused(f"the attribute {name} is negative")
    return int(number)

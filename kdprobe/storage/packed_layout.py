"""A run as one HDF5 file that any tool reads: what is in it, and how it is laid out.

A group for each network, in it one for each snapshot (`snapshots/epoch-00003_step-000001173`), each snapshot of
connectors (`connectors/stage-0/epoch-00003_step-000001173`) and each shard of entropy maps
(`entropy/<analysis>/<snapshot>/00000`); in each of these `tensors`, data sets by tensor name (a tied one under each of
its names), with `names`, `dtype`, `sha256` and `offset` as attributes, and `rest`: the bytes of the original file that
belong to no tensor. Attributes of the group: `file` (its path in the run), `sha256` of the original
after its first 512 bytes, epoch, step, stage, ..., and under `header` all that the file says of itself, as JSON.
Settings and logs are texts with the attributes `file`, `bytes` and `sha256`. Links are hard, data sets contiguous. The
first 512 bytes are the user block of all files of kdprobe: the rest is verified before HDF5 sees it.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from kdprobe.storage.contents import parsed
from kdprobe.storage.dtypes import stored_dtype
from kdprobe.storage.envelope import BLOCK, IN_MEMORY
from kdprobe.storage.hollow import Hollow
from kdprobe.storage.image import Entry
from kdprobe.storage.places import EXPERIMENT, RunPlace

KIND = "packed run"
TENSORS, REST = "tensors", "rest"

_AWKWARD = re.compile("[%/\0\ud800-\udfff]|^\\.+$|^$")  # in the name of an HDF5 link


@dataclass
class Source:
    """One file of the run, where it goes in the packed one, and (once looked into) what is in it."""

    path: Path
    name: str  #: path in the run
    place: tuple[str, ...]  #: names of the groups
    kind: str
    digest: str = ""
    size: int = 0
    header: dict[str, Any] = field(default_factory=dict)
    entries: list[tuple[Entry, int, int]] = field(default_factory=list)  #: entry, offset, bytes

    def spans(self) -> list[tuple[int, int]]:
        """Begin and end of the bytes that belong to no tensor."""
        inner = sorted((offset, offset + length) for _, offset, length in self.entries if length)
        starts, stops = [0, *(stop for _, stop in inner)], [*(start for start, _ in inner), self.size]
        return list(zip(starts, stops, strict=True))


@dataclass
class Layout:
    """The packed file without its numbers, and which bytes of which source go where in it."""

    frame: Hollow
    holes: dict[
        int, list[tuple[int, list[tuple[int, int]]]]
    ]  #: number of the source -> (offset, spans of the source)


def looked_into(source: Source) -> Source:
    """`source` with what is in it, every byte verified. Raises SnapshotError, SnapshotCorruptError."""

    def look(header, contents):
        entries = []
        for entry, dataset in contents:
            length = dataset.get_storage_size()
            entries.append((entry, dataset.get_offset() if length else 0, length))
        return header, entries

    source.header, source.entries, source.digest = parsed(source.path, source.kind, IN_MEMORY, look)
    source.size = source.path.stat().st_size
    return source


def laid_out(found: RunPlace, texts: dict[str, bytes], sources: list[Source]) -> Layout:
    """The packed file of `texts` (by path in the run) and `sources` (looked into)."""
    layout = Layout(Hollow(), {})
    with h5py.File(
        layout.frame, "w", libver=("v110", "v110"), userblock_size=BLOCK, track_order=False
    ) as file:
        _describe(file, {"kind": KIND, "form": found.form, "schema": 1})
        for name, text in texts.items():
            inside = name if found.form == EXPERIMENT else f"networks/{found.networks[0].name}/{name}"
            *groups, last = inside.split("/")
            item = file
            for each in groups:
                item = item.require_group(link_name(each))
            kind = h5py.string_dtype("utf-8", max(len(text), 1))
            dataset = item.create_dataset(link_name(last), (), kind, data=text, track_times=False)
            _describe(dataset, {"file": name, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()})
        for number, source in enumerate(sources):
            group = file
            for each in source.place:
                group = group.require_group(link_name(each))
            layout.holes[number] = _laid_out_source(group, source)
    return layout


def _laid_out_source(group: h5py.Group, source: Source) -> list[tuple[int, list[tuple[int, int]]]]:
    holes = []
    tensors = group.create_group(TENSORS)
    for entry, offset, length in source.entries:
        stored = stored_dtype(entry.dtype)
        shape = (*entry.shape, 2) if entry.dtype.startswith("complex") else entry.shape
        names = [link_name(name) for name in entry.names]
        dataset = _hollow_dataset(tensors, names[0], shape, stored)
        for other in names[1:]:
            tensors[other] = dataset
        said = {
            "names": json.dumps(entry.names),
            "dtype": entry.dtype,
            "sha256": entry.sha256,
            "offset": offset,
        }
        _describe(dataset, said)
        if length:
            holes.append((dataset.id.get_offset(), [(offset, offset + length)]))
    spans = source.spans()
    rest = _hollow_dataset(group, REST, (sum(b - a for a, b in spans),), np.dtype("u1"))
    holes.append((rest.id.get_offset(), spans))
    plain = {key: value for key, value in source.header.items() if isinstance(value, bool | int | str)}
    said = {"file": source.name, "sha256": source.digest, "header": json.dumps(source.header, sort_keys=True)}
    _describe(group, {**plain, **said})
    return holes


def _hollow_dataset(group: h5py.Group, name: str, shape: tuple[int, ...], stored: np.dtype) -> h5py.Dataset:
    """A data set that has its place in the file and no numbers yet."""
    plan = h5p.create(h5p.DATASET_CREATE)
    plan.set_layout(h5d.CONTIGUOUS)
    plan.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5d.FILL_TIME_NEVER)
    plan.set_obj_track_times(False)
    space = h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)
    kind = h5t.py_create(stored, logical=True)
    return h5py.Dataset(h5d.create(group.id, name.encode("utf-8"), kind, space, plan))


def _describe(item: h5py.HLObject, values: dict[str, Any]) -> None:
    """Numbers and texts of fixed length as attributes."""
    for name, value in values.items():
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogateescape") or b"\0"
            item.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", len(data)))
        else:
            item.attrs.create(name, int(value), dtype="<i8")


def link_name(name: str) -> str:
    """`name` as the name of an HDF5 link: what HDF5 does not allow in it as %XX."""

    def escaped(match: re.Match) -> str:
        return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass")) or "%"

    return _AWKWARD.sub(escaped, name)

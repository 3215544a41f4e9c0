"""HDF5 files before they are written: tensors with names and digests, and a header, in a form that never varies."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import h5py
import numpy as np
import torch
from h5py import h5s

from kdprobe.errors import SnapshotError
from kdprobe.storage.dtypes import dtype_name, stored_dtype, to_array
from kdprobe.storage.envelope import BLOCK
from kdprobe.storage.hollow import Hollow

_Result = TypeVar("_Result")

GROUP = "tensors"  #: the one group; its data sets are named 000000, 000001, ...
MAX_TENSORS = 100_000
MAX_AXES = 31  #: HDF5 has 32; complex numbers take one for themselves
HEADER = "header"  #: the one attribute of the root and of each data set: JSON in ASCII


@dataclass(frozen=True)
class Entry:
    """One stored tensor: every name it goes by, where these stand in the state's order, and its digest."""

    names: tuple[str, ...]
    order: tuple[int, ...]
    dtype: str
    shape: tuple[int, ...]
    sha256: str  #: hex, of the bytes of the stored array in C order

    @property
    def content(self) -> tuple:
        return (self.names, self.dtype, self.shape, self.sha256)


class Image:
    """An HDF5 file that is not written yet: what HDF5 puts around the tensors, and where each of them goes.

    The same header and tensors give the same bytes. Tensors that share all their memory (tied weights) are there once,
    under all their names. Beside the tensors it takes some kB: a tensor is looked at when its turn comes (one that
    lies on a device or is not contiguous is copied for that time).
    """

    def __init__(self, header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Raises SnapshotError naming a value that is no dense tensor with values."""
        groups = _grouped(tensors)
        self._tensors = [tensors[names[0]] for names, _ in groups]
        self.entries = [
            _entry(tensor, names, order, array_digest(to_array(tensor)))
            for tensor, (names, order) in zip(self._tensors, groups, strict=True)
        ]
        self._frame, self._offsets = undisturbed(lambda: _laid_out(header, self.entries))

    @property
    def size(self) -> int:
        """Bytes of the file, the user block among them."""
        return self._frame.size

    def parts(self) -> Iterator[tuple[Entry | None, memoryview]]:
        """All bytes after the user block, in order: those of a tensor with its entry, those between with None."""
        position = BLOCK
        for offset, number in sorted(
            (at, number) for number, at in enumerate(self._offsets) if at is not None
        ):
            yield None, memoryview(self._frame.part(position, offset))
            data = _bytes_of(to_array(self._tensors[number]))
            yield self.entries[number], memoryview(data)
            position = offset + len(data)
        yield None, memoryview(self._frame.part(position, self.size))


def image_bytes(header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> int:
    """Bytes of the file that `Image` would make; no tensor is read. Raises SnapshotError as `Image` does."""
    entries = [_entry(tensors[names[0]], names, order, "0" * 64) for names, order in _grouped(tensors)]
    return undisturbed(lambda: _laid_out(header, entries))[0].size


def undisturbed(work: Callable[[], _Result]) -> _Result:
    """The result of `work()`, done in a thread of its own.

    Python handles signals in the main thread, at any moment: an exception of their handlers (Ctrl-C) inside a method
    that HDF5 calls would be a failing write to HDF5, and it crashes on these.
    """
    with ThreadPoolExecutor(1) as worker:
        return worker.submit(work).result()


def array_digest(array: np.ndarray) -> str:
    """sha256 (hex) of the bytes of a contiguous array."""
    return hashlib.sha256(_bytes_of(array)).hexdigest()


def _bytes_of(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def _entry(tensor: torch.Tensor, names: tuple[str, ...], order: tuple[int, ...], digest: str) -> Entry:
    return Entry(names, order, dtype_name(tensor), tuple(tensor.shape), digest)


def _laid_out(header: Mapping[str, Any], entries: Sequence[Entry]) -> tuple[Hollow, list[int | None]]:
    """The file without the numbers of its tensors, and at which byte each begins (None: it has no bytes)."""
    frame, offsets = Hollow(), []
    with h5py.File(frame, "w", libver=("v110", "v110"), userblock_size=BLOCK, track_order=False) as file:
        _set_header(file, header)
        group = file.create_group(GROUP, track_order=False)
        for number, entry in enumerate(entries):
            shape = (*entry.shape, 2) if entry.dtype.startswith("complex") else entry.shape
            dataset = group.create_dataset(
                f"{number:06d}", shape, stored_dtype(entry.dtype), track_times=False
            )
            offsets.append(_allocated(dataset) if dataset.size else None)
            described = {"names": entry.names, "order": entry.order, "dtype": entry.dtype}
            _set_header(dataset, described | {"sha256": entry.sha256})
    return frame, offsets


def _allocated(dataset: h5py.Dataset) -> int:
    """Where the data set's bytes begin: HDF5 gives them their place when the first number is written."""
    space = dataset.id.get_space()
    if dataset.ndim:
        space.select_elements([(0,) * dataset.ndim])
    dataset.id.write(h5s.create(h5s.SCALAR), space, np.zeros((), dataset.dtype))
    return dataset.id.get_offset()


def _set_header(item: h5py.HLObject, values: Mapping[str, Any]) -> None:
    item.attrs.create(HEADER, np.bytes_(json.dumps(values, sort_keys=True).encode("ascii")))


def _grouped(tensors: Mapping[str, torch.Tensor]) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Names and positions of each tensor, tied ones together, in the order of first appearance."""
    if len(tensors) > MAX_TENSORS:
        raise SnapshotError(
            f"Got {len(tensors)} tensors; at most {MAX_TENSORS} fit into a file: split the state."
        )
    groups: dict[Any, list[tuple[str, int]]] = {}
    for position, (name, tensor) in enumerate(tensors.items()):
        _check(name, tensor)
        key = name
        if tensor.numel():
            place = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.device)
            key = (place, tensor.shape, tensor.stride(), tensor.dtype, tensor.is_conj(), tensor.is_neg())
        groups.setdefault(key, []).append((name, position))
    return [tuple(zip(*group, strict=True)) for group in groups.values()]


def _check(name: str, value: Any) -> None:
    problem = None
    if not isinstance(value, torch.Tensor):
        problem = f"is of type {type(value).__name__}, not a tensor"
    elif isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
        problem = "is not initialised yet: run one forward pass first"
    elif type(value).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        problem = f"is a {type(value).__name__}, which may keep its numbers elsewhere"
    elif value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
        problem = "is sparse, quantised or without values (meta)"
    elif value.ndim > MAX_AXES:
        problem = f"has {value.ndim} axes, more than {MAX_AXES}"
    elif dtype_name(value) is None:
        problem = f"has dtype {value.dtype}, which has no stored form"
    if problem:
        raise SnapshotError(
            f"Cannot store {name!r}: it {problem}; leave it out of the state dict or convert it."
        )

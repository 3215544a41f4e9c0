"""HDF5 images in memory: tensors with their names and digests, and a header, in a form that never varies."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import torch

from kdprobe.errors import SnapshotError
from kdprobe.storage.dtypes import dtype_name, to_array
from kdprobe.storage.envelope import BLOCK

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


def build_image(
    header: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> tuple[io.BytesIO, list[Entry]]:
    """An HDF5 file in memory, user block still empty, and its entries. The same input gives the same bytes.

    Tensors that share all their memory (tied weights) are stored once under all their names. Beside the
    tensors themselves the image is the only copy (those on a device or not contiguous are copied one by one).

    Raises SnapshotError naming a value that is no dense tensor with values.
    """
    image, entries = io.BytesIO(), []
    with h5py.File(image, "w", libver=("v110", "v110"), userblock_size=BLOCK, track_order=False) as file:
        _set_header(file, header)
        group = file.create_group(GROUP, track_order=False)
        for number, (names, order) in enumerate(_grouped(tensors)):
            tensor = tensors[names[0]]
            array = to_array(tensor)
            digest = array_digest(array)
            entry = Entry(names, order, dtype_name(tensor), tuple(tensor.shape), digest)
            dataset = group.create_dataset(f"{number:06d}", data=array, track_times=False)
            _set_header(dataset, {"names": names, "order": order, "dtype": entry.dtype, "sha256": digest})
            entries.append(entry)
    return image, entries


def array_digest(array: np.ndarray) -> str:
    """sha256 (hex) of the bytes of a contiguous array."""
    return hashlib.sha256(array.reshape(-1).view(np.uint8)).hexdigest()


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
    if not isinstance(name, str):
        raise SnapshotError(f"Expected tensor names as text, got {name!r}; pass a state dict.")
    problem = None
    if not isinstance(value, torch.Tensor):
        problem = f"is of type {type(value).__name__}, not a tensor"
    elif isinstance(value, torch.nn.parameter.UninitializedTensorMixin):
        problem = "is not initialised yet: run one forward pass first"
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

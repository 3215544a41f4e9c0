"""Reading a binary file: bytes verified first, then the guards, then every tensor against its own sha256."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import torch
from h5py import h5s

from kdprobe.errors import KdprobeError
from kdprobe.storage.dtypes import to_tensor
from kdprobe.storage.envelope import IN_MEMORY, corrupt, opened_verified
from kdprobe.storage.guards import Refused, guarded_contents
from kdprobe.storage.image import Entry, array_digest


def read_header(
    path: str | os.PathLike, kind: str | None, in_memory: int = IN_MEMORY
) -> tuple[dict[str, Any], list[Entry], str]:
    """Header, entries and digest of the file at `path`; every byte is verified, no tensor is unpacked.

    A `kind` of None takes every kind.

    Raises SnapshotCorruptError, or SnapshotError if the file cannot be read or comes from a newer kdprobe.
    """
    return parsed(path, kind, in_memory, lambda header, contents: (header, [entry for entry, _ in contents]))


def read_tensors(
    path: str | os.PathLike, kind: str, in_memory: int = IN_MEMORY, only: Collection[str] | None = None
) -> tuple[dict[str, Any], dict[str, torch.Tensor], str]:
    """Header, tensors by name in the order in which they were saved, and digest of the file at `path`.

    Names that were tied share one tensor again. Takes the memory of its tensors, and at most `in_memory` bytes besides.
    `only`: the names to unpack; the bytes of the others are verified with the file, no more.

    Raises SnapshotCorruptError, or SnapshotError if the file cannot be read or comes from a newer kdprobe.
    """

    def unpack(header, contents):
        places = {}
        for entry, dataset in contents:
            wanted = [
                (k, n) for k, n in zip(entry.order, entry.names, strict=True) if only is None or n in only
            ]
            if wanted:
                tensor = _tensor(entry, dataset)
                places.update((place, (name, tensor)) for place, name in wanted)
        return header, dict(places[position] for position in sorted(places))

    return parsed(path, kind, in_memory, unpack)


def parsed(path: str | os.PathLike, kind: str | None, in_memory: int, use: Callable[..., tuple]) -> tuple:
    """What `use(header, contents)` returns for the verified file at `path`, and the file's digest after it.

    `contents` are its entries with their open data sets (`guarded_contents`). Raises as `read_header`.
    """
    path = Path(path)
    with opened_verified(path, in_memory) as (content, size, digest):
        return (*_looked_into(path, kind, content, size, use), digest)


def _looked_into(
    path: Path, kind: str | None, content: BinaryIO, size: int, use: Callable[..., tuple]
) -> tuple:
    with opened_hdf5(path, content) as file:
        header, contents = guarded_contents(file, size)
        if kind is not None and header.get("kind") != kind:
            raise Refused(f"it is not a file of kind {kind!r}")
        return use(header, contents)


@contextmanager
def opened_hdf5(path: Path, content: BinaryIO) -> Iterator[h5py.File]:
    """`content` of the file at `path` as HDF5; what goes wrong inside is SnapshotCorruptError.

    Errors of kdprobe and a lack of memory go through as they are.
    """
    try:
        with h5py.File(content, "r") as file:
            yield file
    except (KdprobeError, MemoryError):
        raise
    except Refused as error:
        raise corrupt(path, str(error)) from error
    # The contract of a reader is equal data or SnapshotCorruptError; the error is its cause. A lack of memory, which is
    # no damage, went through above.
    except Exception as error:  # any type, since h5py promises none for damaged bytes; raised again
        raise corrupt(path, f"HDF5 cannot make sense of it ({type(error).__name__}: {error})") from error


def _tensor(entry: Entry, dataset: h5py.h5d.DatasetID) -> torch.Tensor:
    array = np.empty(dataset.shape, dtype=dataset.dtype)
    if array.size:
        dataset.read(h5s.ALL, h5s.ALL, array)
    if array_digest(array) != entry.sha256:
        raise Refused(f"the sha256 of tensor {entry.names[0]!r} is not the one that was written")
    try:
        return to_tensor(array, entry.dtype)
    except ValueError as error:
        raise Refused(f"tensor {entry.names[0]!r}: {error}") from error

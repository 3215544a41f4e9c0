"""An image onto the disk: user block, one atomic file; a large one goes piece by piece."""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

from kdprobe.errors import SnapshotError
from kdprobe.storage.atomic import new_file, write_all, write_atomically
from kdprobe.storage.envelope import BLOCK, IN_MEMORY, PIECE, user_block
from kdprobe.storage.image import Image


def write_image(path: Path, image: Image, in_memory: int = IN_MEMORY) -> str:
    """Puts `image` at `path` as `write_atomically` does; returns the sha256 (hex) of what follows the user block.

    Up to `in_memory` bytes are put together in memory and written at once. What is larger is written tensor by
    tensor into the temporary file, whose sha256 and tensors' digests are then taken from the disk; it takes no memory.
    The bytes are the same.

    Raises SnapshotError if the system refuses, or if a tensor changed while it was saved.
    """
    if image.size > in_memory:
        return _streamed(path, image)
    data = bytearray(image.size)
    view, position = memoryview(data), BLOCK
    for entry, part in image.parts():
        view[position : position + len(part)] = part
        if (
            entry is not None
            and hashlib.sha256(view[position : position + len(part)]).hexdigest() != entry.sha256
        ):
            raise SnapshotError(
                f"Cannot write {path}: tensor {entry.names[0]!r} changed while it was saved; "
                "keep others from changing the model meanwhile."
            )
        position += len(part)
    digest = hashlib.sha256(view[BLOCK:]).hexdigest()
    view[:BLOCK] = user_block(image.size - BLOCK, digest)
    write_atomically(path, data)
    return digest


def _streamed(path: Path, image: Image) -> str:
    written = []
    with new_file(path) as descriptor:
        write_all(descriptor, bytes(BLOCK))
        for entry, part in image.parts():
            write_all(descriptor, part)
            written.append((entry, len(part)))
        os.lseek(descriptor, BLOCK, os.SEEK_SET)
        whole = hashlib.sha256()
        for entry, length in written:
            digest = _digest_on_disk(descriptor, length, whole)
            if entry is not None and digest != entry.sha256:
                raise SnapshotError(
                    f"Cannot write {path}: tensor {entry.names[0]!r} is not on the disk as it was when saving began; "
                    "keep others from changing the model meanwhile, and look at the disk."
                )
        os.lseek(descriptor, 0, os.SEEK_SET)
        write_all(descriptor, user_block(image.size - BLOCK, whole.hexdigest()))
    return whole.hexdigest()


def _digest_on_disk(descriptor: int, length: int, whole: Any) -> str:
    """sha256 of the next `length` bytes, as the disk gives them back; `whole` is updated with them too."""
    part = hashlib.sha256()
    while length:
        data = os.read(descriptor, min(length, PIECE))
        if not data:
            raise OSError(errno.EIO, "the disk gives back less than was written")
        part.update(data)
        whole.update(data)
        length -= len(data)
    return part.hexdigest()

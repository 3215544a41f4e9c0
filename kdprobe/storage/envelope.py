"""The first 512 bytes of each binary file: magic, schema, length, sha256; checked before HDF5 sees a byte."""

import hashlib
import io
import os
import re
import stat
from pathlib import Path

from kdprobe.errors import SnapshotCorruptError, SnapshotError
from kdprobe.storage.atomic import named_failure

BLOCK = 512  #: bytes of the HDF5 user block
SCHEMA = 1  #: the newest schema that this version writes and reads

_LINES = re.compile(
    rb"(?P<head>kdprobe hdf5\nschema (?P<schema>\d{1,9})\nlength (?P<length>\d{1,18})\n"
    rb"sha256 (?P<digest>[0-9a-f]{64})\n)block (?P<block>[0-9a-f]{64})\n\0+"
)


def seal(image: io.BytesIO) -> str:
    """Fills the user block of an HDF5 image in memory; returns the sha256 (hex) of all that follows it."""
    with image.getbuffer() as view:
        digest = hashlib.sha256(view[BLOCK:]).hexdigest()
        view[:BLOCK] = user_block(len(view) - BLOCK, digest)
    return digest


def user_block(length: int, digest: str, schema: int = SCHEMA) -> bytes:
    """The 512 bytes that announce `length` bytes of this sha256; the last line covers the lines before it."""
    head = f"kdprobe hdf5\nschema {schema}\nlength {length}\nsha256 {digest}\n".encode()
    return (head + f"block {hashlib.sha256(head).hexdigest()}\n".encode()).ljust(BLOCK, b"\0")


def read_verified(path: str | os.PathLike) -> tuple[bytes, str]:
    """All bytes of the file at `path`, and the sha256 (hex) of those after the user block, verified.

    Raises SnapshotCorruptError if a byte is not what was written, SnapshotError if the file cannot be read or
    comes from a newer kdprobe.
    """
    path = Path(path)
    with named_failure("read", path), _opened(path) as file:
        block, size = file.read(BLOCK), os.fstat(file.fileno()).st_size
        length, digest = _announced(path, block)
        if size != BLOCK + length:
            raise corrupt(path, f"{size - BLOCK} bytes follow the user block, {length} were written")
        file.seek(0)
        data = file.read()
    with memoryview(data) as view:
        if len(view) != size or view[:BLOCK] != block or hashlib.sha256(view[BLOCK:]).hexdigest() != digest:
            raise corrupt(path, "the sha256 of its content is not the one that was written")
    return data, digest


def corrupt(path: Path, what: str) -> SnapshotCorruptError:
    """The error for a file that must not be used: path, what is wrong, what to do."""
    return SnapshotCorruptError(f"{path} is damaged: {what}; restore it from a copy or make it anew.")


def _opened(path: Path) -> io.FileIO:
    file = io.FileIO(
        path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)
    )  # no wait at a pipe
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise corrupt(path, "it is not a regular file")
    return file


def _announced(path: Path, block: bytes) -> tuple[int, str]:
    """Length and sha256 of what follows the user block, by the block's own word."""
    match = _LINES.fullmatch(block) if len(block) == BLOCK else None
    if match is None:
        raise corrupt(
            path, "it has no sound kdprobe user block (cut short, overwritten or of another format)"
        )
    if hashlib.sha256(match["head"]).hexdigest().encode() != match["block"]:
        raise corrupt(path, "the user block does not agree with its own sha256")
    schema = int(match["schema"])
    if schema > SCHEMA:
        raise SnapshotError(
            f"{path} has schema {schema}, newer than the {SCHEMA} known here; install a newer kdprobe."
        )
    return int(match["length"]), match["digest"].decode()

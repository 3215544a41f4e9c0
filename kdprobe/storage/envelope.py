"""The first 512 bytes of each binary file: magic, schema, length, sha256; checked before HDF5 sees a byte."""

import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from kdprobe.errors import SnapshotCorruptError, SnapshotError
from kdprobe.storage.atomic import named_failure

BLOCK = 512  #: bytes of the HDF5 user block
SCHEMA = 1  #: the newest schema that this version writes and reads
IN_MEMORY = 1 << 24  #: bytes; larger files are written and read piece by piece
PIECE = 1 << 20  #: bytes that are read or written at once where nothing is kept

_LINES = re.compile(
    rb"(?P<head>kdprobe hdf5\nschema (?P<schema>\d{1,9})\nlength (?P<length>\d{1,18})\n"
    rb"sha256 (?P<digest>[0-9a-f]{64})\n)block (?P<block>[0-9a-f]{64})\n\0+"
)


def user_block(length: int, digest: str, schema: int = SCHEMA) -> bytes:
    """The 512 bytes that announce `length` bytes of this sha256; the last line covers the lines before it."""
    head = f"kdprobe hdf5\nschema {schema}\nlength {length}\nsha256 {digest}\n".encode()
    return (head + f"block {hashlib.sha256(head).hexdigest()}\n".encode()).ljust(BLOCK, b"\0")


@contextmanager
def opened_verified(path: str | os.PathLike, in_memory: int) -> Iterator[tuple[BinaryIO, int, str]]:
    """The file at `path` for HDF5 to read, its size, and the sha256 (hex) of what follows the user block, verified.

    A file of up to `in_memory` bytes is handed out as the very bytes that were verified; a larger one stays on the
    disk and takes no memory.

    Raises SnapshotCorruptError if a byte is not what was written, SnapshotError if the file cannot be read or
    comes from a newer kdprobe.
    """
    path = Path(path)
    with ExitStack() as stack:
        with named_failure("read", path):
            file = stack.enter_context(_opened(path))
            block, size = file.read(BLOCK), os.fstat(file.fileno()).st_size
            length, digest = _announced(path, block)
            if size != BLOCK + length:
                raise corrupt(path, f"{size - BLOCK} bytes follow the user block, {length} were written")
            content = io.BytesIO(block + file.read()) if size <= in_memory else file
            if digest_from(content, BLOCK) != (digest, length):
                raise corrupt(path, "the sha256 of its content is not the one that was written")
        yield content, size, digest


def digest_from(file: BinaryIO, start: int) -> tuple[str, int]:
    """sha256 (hex) and number of the bytes of `file` from `start` to its end."""
    digest, count, piece = hashlib.sha256(), 0, bytearray(PIECE)
    file.seek(start)
    while got := file.readinto(piece):
        digest.update(memoryview(piece)[:got])
        count += got
    return digest.hexdigest(), count


def corrupt(path: Path, what: str) -> SnapshotCorruptError:
    """The error for a file that must not be used: path, what is wrong, what to do."""
    return SnapshotCorruptError(f"{path} is damaged: {what}; restore it from a copy or make it anew.")


def _opened(path: Path) -> io.BufferedReader:
    no_wait = os.O_NONBLOCK  # at a pipe
    raw = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | no_wait))
    if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        raw.close()
        raise corrupt(path, "it is not a regular file")
    return io.BufferedReader(raw)


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

"""Files that appear whole or not at all: temporary file beside it, fsync, rename, fsync of the folder."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdprobe.errors import SnapshotError

_LARGEST_WRITE = 1 << 30  # some systems refuse to write more than 2 GiB at once


def write_atomically(path: str | os.PathLike, data: bytes | bytearray | memoryview) -> None:
    """Puts `data` at `path`: after a crash or power loss either the old file is there or the new one, whole.

    Folders that are missing are made. When the function returns, the file is on the disk.

    Raises SnapshotError naming the path and the reason if the system refuses (disk full, no permission, ...);
    then the temporary file has been removed and what was at `path` before is still there. Only if the last
    step fails, fsync of the folder, the new file is in place already.
    """
    with new_file(path) as descriptor:
        write_all(descriptor, data)


@contextmanager
def new_file(path: str | os.PathLike) -> Iterator[int]:
    """The descriptor of a temporary file to write and read, which takes its place at `path` when the block ends.

    What the block leaves in it is synced first. If the block raises, or the system refuses anything, the file is
    removed and `path` is as it was; an OSError becomes a SnapshotError, as in `write_atomically`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with named_failure("write", path):
        make_folder(path.parent)
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                yield descriptor
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        except BaseException as error:
            _remove(temporary, error)
            raise
        fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Makes `folder` and its missing parents, each entered durably in its own parent. Raises OSError."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file, not a folder")
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        fsync_folder(new.parent)


def fsync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable, where the file system knows how to. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems have no fsync for folders
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Writes all of `data`, however many calls the system makes of it. Raises OSError."""
    rest = memoryview(data).cast("B")
    while len(rest):
        rest = rest[os.write(descriptor, rest[:_LARGEST_WRITE]) :]


@contextmanager
def named_failure(verb: str, path: Path) -> Iterator[None]:
    """Turns an OSError inside the block into a SnapshotError: what was tried, where, and why it failed.

    Raises SnapshotError at once if `path` has a NUL in it, which no file system takes.
    """
    if "\0" in str(path):
        raise SnapshotError(f"Cannot {verb} {str(path)!r}: no path may hold a NUL; correct the path.")
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        reason = "; ".join([reason, *getattr(error, "__notes__", [])])
        raise SnapshotError(f"Cannot {verb} {path}: {reason}; free the disk or correct the path.") from error


def _remove(path: Path, failure: BaseException) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        failure.add_note(f"the temporary file {path} is left over ({error.strerror})")

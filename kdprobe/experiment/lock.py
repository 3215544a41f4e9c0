"""One run at a time in a folder, and nothing left in it of runs that were killed."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdprobe.errors import ConfigError
from kdprobe.storage.atomic import named_failure

_NAME = ".kdprobe.lock"
_TEMPORARY = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp", re.ASCII)  #: ends with the process that made it
#: where a run alone writes; entropy maps are not among them, because a kdprobe measure may be writing some
_WRITTEN = (".", "tables", "figures", "report", "layers", "networks/*", "networks/*/snapshots")


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder` inside; the kernel releases it when the process dies, however that happens.

    Temporary files and folders of processes that are gone are removed first. A file system without locks is used
    without. Raises ConfigError if another process holds the lock, or if the folder cannot be written to; SnapshotError
    if something torn cannot be removed.
    """
    path = folder / _NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be written to: {error.strerror}; choose another one."
        ) from error
    try:
        _lock(descriptor, folder)
        for torn in [torn for place in _WRITTEN for torn in folder.glob(f"{place}/.*.tmp")]:
            if _left_over(torn):
                _remove(torn)
        yield
    finally:
        os.close(descriptor)


def _left_over(path: Path) -> bool:
    """Whether `path` is a temporary one of a process that is gone, or had the number that this one has now."""
    match = _TEMPORARY.fullmatch(path.name)
    if match is None:
        return False
    process = int(match[1])
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # of somebody else, and alive
        return False
    return False


def _remove(path: Path) -> None:
    with named_failure("remove", path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(
            f"Another kdprobe is at work in {folder}; wait until it has ended, or choose another folder."
        ) from error
    except OSError:  # a file system that knows no locks
        return

"""One run at a time in a folder, and nothing left in it of runs that were killed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdprobe.errors import ConfigError

_NAME = ".kdprobe.lock"
#: where a run alone writes; entropy maps are not among them, because a kdprobe measure may be writing some
_WRITTEN = (".", "tables", "figures", "report", "networks/*", "networks/*/snapshots")


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder` inside; the kernel releases it when the process dies, however that happens.

    Torn temporary files of killed runs are removed first. A file system without locks is used without.
    Raises ConfigError if another process holds the lock, or if the folder cannot be written to.
    """
    path = folder / _NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder} cannot be written to: {error.strerror}; choose another --out."
        ) from error
    try:
        _lock(descriptor, folder)
        for torn in (torn for place in _WRITTEN for torn in folder.glob(f"{place}/.*.tmp")):
            torn.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(
            f"Another kdprobe is at work in {folder}; wait until it has ended, or choose another --out."
        ) from error
    except OSError:  # a file system that knows no locks
        return

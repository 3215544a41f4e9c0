"""A folder that appears whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdprobe.errors import SnapshotError
from kdprobe.storage.atomic import fsync_folder, make_folder, named_failure


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Gives a new folder to write into; it becomes `path` at the end, or is removed if the block fails.

    Raises SnapshotError if something is at `path` already (an empty folder may be), or if the system refuses.
    """
    path = Path(path).absolute()
    with named_failure("write", path):
        if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
            raise SnapshotError(f"{path} exists and is no empty folder; give a new one.")
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        make_folder(temporary)
    try:
        yield temporary
        with named_failure("write", path):
            os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    with named_failure("write", path):
        fsync_folder(path.parent)

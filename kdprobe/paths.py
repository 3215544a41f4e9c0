"""Paths as a user writes them."""

import os
from pathlib import Path

from kdprobe.errors import InputError


def expanded(path: str | os.PathLike) -> Path:
    """`path` with ~ and ~user replaced by the home folder. Raises InputError if there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"Nobody's home folder is known for {path}; write the path in full.") from error

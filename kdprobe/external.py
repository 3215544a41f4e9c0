"""Functions out of the user's own files, named ``path/to/file.py:function``."""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kdprobe.errors import ConfigError, KdprobeError
from kdprobe.paths import expanded

_REFERENCE = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)")


def is_reference(name: str) -> bool:
    """True if `name` has the form ``file.py:function``."""
    return _REFERENCE.fullmatch(name) is not None


@contextmanager
def users_code(failed: str, after: str = "") -> Iterator[None]:
    """Whatever fails inside, where code of the user's own may run, is raised as a ConfigError of one sentence.

    `failed`: what could not be done; then come the error's type (a KdprobeError explains itself) and words, and
    `after`. The error is its cause. What is meant for the interpreter (KeyboardInterrupt, SystemExit) goes through.
    """
    try:
        yield
    # Files that users write raise errors of any type; none is lost: it is raised again, as the cause of a sentence.
    except Exception as error:  # any type, since the code inside is the user's own; raised again
        kind = "" if isinstance(error, KdprobeError) else f"{type(error).__name__}: "
        raise ConfigError(f"{failed}: {kind}{' '.join(str(error).split())}{after}") from error


def load_function(reference: str) -> Callable:
    """The function that `reference` (``file.py:function``) names; the file is executed.

    Raises ConfigError if the form is wrong, the file is missing or fails, or the function does not exist.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ConfigError(
            f"Expected file.py:function, got {reference!r}; write for example models.py:my_network."
        )
    path = expanded(match["file"]).resolve()
    if not path.is_file():
        raise ConfigError(f"No file {path} (from {reference!r}); give the path of an existing Python file.")
    module_name = f"kdprobe_external_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    with users_code(f"{path} could not be executed", after="."):
        spec.loader.exec_module(module)
    function = getattr(module, match["function"], None)
    if not callable(function):
        raise ConfigError(f"{path} has no function {match['function']!r}; define it or correct the name.")
    return function


def provenance(reference: str) -> dict[str, str]:
    """Where `reference` leads and the sha256 of that file, so that a run can be rebuilt and a change be noticed."""
    path = expanded(_REFERENCE.fullmatch(reference)["file"]).resolve()
    return {
        "reference": reference,
        "path": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }

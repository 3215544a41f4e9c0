"""Data sets that torchvision can read or fetch; its errors become one sentence."""

from pathlib import Path
from typing import Any

from kdprobe.errors import DataError
from kdprobe.paths import expanded


def from_torchvision(name: str, root: str | Path, download: bool = True, **options: Any) -> Any:
    """The set ``torchvision.datasets.<name>`` at `root`; with `download` it is fetched if it is not there.

    DataError if it is not there, is damaged, or cannot be fetched.
    """
    from torchvision import datasets  # a second of imports that only these sets need

    root = expanded(root)
    try:
        return getattr(datasets, name)(str(root), download=download, **options)
    except (RuntimeError, OSError, EOFError) as error:
        if download:
            raise DataError(
                f"Cannot fetch {name} into {root} ({type(error).__name__}: {error}); put the files there "
                "by hand, or try again with a network."
            ) from error
        raise DataError(
            f"{name} is not in {root}, or is damaged ({error}); put the files there, or set the option "
            "`download: true`."
        ) from error

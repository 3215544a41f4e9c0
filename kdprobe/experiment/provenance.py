"""Where numbers come from: versions, machine, revision."""

import os
import platform
import subprocess
import sys
from configparser import ConfigParser, Error
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import kdprobe

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "h5py", "lightning", "captum", "matplotlib")


def provenance() -> dict[str, Any]:
    """Versions of what computed, the machine in words, and kdprobe's git revision where it is a checkout."""
    return {
        "kdprobe": kdprobe.__version__,
        "git_revision": git_revision(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def git_revision() -> str | None:
    """The commit of the checkout that kdprobe runs from, with "+" if there are uncommitted changes, else None.

    A repository that merely holds kdprobe somewhere (an environment, a copy) is not kdprobe's own.
    """
    home = Path(kdprobe.__file__).resolve().parent.parent
    if not (home / ".git").exists() or not _is_ours(home / "setup.cfg"):
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(home), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _is_ours(setup: Path) -> bool:
    described = ConfigParser(interpolation=None)
    try:
        described.read(setup)
    except Error:
        return False
    return described.get("metadata", "name", fallback=None) == "kdprobe"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

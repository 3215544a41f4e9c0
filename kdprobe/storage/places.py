"""Where things lie in a run: an experiment, one network of it, or a folder of snapshots."""

import re
from dataclasses import dataclass
from pathlib import Path

from kdprobe.errors import SnapshotError
from kdprobe.storage.atomic import named_failure

EXPERIMENT, NETWORK, SNAPSHOTS = "experiment", "network", "snapshots"
TEXTS = (".json", ".jsonl", ".yaml", ".csv")  #: endings of the texts that are kept beside snapshots

_STAGE = re.compile(r"stage-(0|[1-9]\d{0,8})", re.ASCII)


@dataclass(frozen=True)
class NetworkPlace:
    """Where one network is kept. `folder` is None if only its snapshots were asked for."""

    name: str
    snapshots: Path
    folder: Path | None

    @property
    def analyses(self) -> list[Path]:
        """The folders of entropy maps, one for each analysis, by name."""
        return [] if self.folder is None else sorted(_folders(self.folder / "entropy"))

    @property
    def connectors(self) -> dict[int, Path]:
        """Stage -> the folder with the snapshots of its connectors, by stage."""
        found = [] if self.folder is None else _folders(self.folder / "connectors")
        stages = ((_STAGE.fullmatch(each.name), each) for each in found)
        return dict(sorted((int(match[1]), each) for match, each in stages if match))


@dataclass(frozen=True)
class RunPlace:
    """What was found at a path."""

    path: Path
    form: str  #: experiment, network or snapshots
    networks: tuple[NetworkPlace, ...]


def find_run(path: str | Path) -> RunPlace:
    """The networks at `path`: a folder with `networks/`, one with `snapshots/`, or one of snapshot files.

    Raises SnapshotError if there is no such folder, or it holds none of these.
    """
    path = Path(path)
    if not path.is_dir():
        raise SnapshotError(f"No folder {path}; give the folder of an experiment, a network or snapshots.")
    if (path / "networks").is_dir():
        networks = [NetworkPlace(each.name, each / "snapshots", each) for each in _folders(path / "networks")]
        return RunPlace(path, EXPERIMENT, tuple(networks))
    if (path / "snapshots").is_dir():
        name = path.resolve().name
        return RunPlace(path, NETWORK, (NetworkPlace(name, path / "snapshots", path),))
    with named_failure("list", path):
        found = path.name == "snapshots" or any(path.glob("epoch-*.h5"))
    if not found:
        raise SnapshotError(
            f"{path} holds neither networks, nor a folder snapshots, nor snapshot files; give a folder made by kdprobe."
        )
    home = path.resolve()
    name = home.parent.name if home.name == "snapshots" else home.name
    return RunPlace(path, SNAPSHOTS, (NetworkPlace(name, path, None),))


def texts_in(folder: Path) -> list[Path]:
    """The settings and logs directly in `folder`, by name. Raises SnapshotError if it cannot be listed."""
    with named_failure("list", folder):
        found = [each for each in folder.iterdir() if each.suffix in TEXTS and each.is_file()]
    return sorted(each for each in found if not each.name.startswith("."))


def hdf5_files(folder: Path) -> list[Path]:
    """The .h5 files directly in `folder`, by name, hidden ones left out; none if there is no folder.

    Raises SnapshotError if it cannot be listed.
    """
    with named_failure("list", folder):
        found = [*folder.iterdir()] if folder.exists() else []
    return sorted(each for each in found if each.suffix == ".h5" and not each.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    with named_failure("list", folder):
        return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))

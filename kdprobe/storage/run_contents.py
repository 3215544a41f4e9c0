"""The record of what is in a run."""

from dataclasses import dataclass
from pathlib import Path

from kdprobe.records import Record


@dataclass(frozen=True)
class SnapshotContents(Record):
    """One snapshot file. If it is damaged, epoch and step are those of its name (None if that gives none)."""

    file: str
    epoch: int | None
    step: int | None
    stage: int | None
    partial: bool
    weights: str | None  #: raw or averaged
    size: int  #: bytes
    problem: str | None  #: why it cannot be used; None: every byte is verified


@dataclass(frozen=True)
class MapsContents(Record):
    """The entropy maps of one analysis."""

    analysis: str
    layer: str | None
    snapshots: int  #: measured and verified
    images: int  #: of one snapshot (the most, if they differ)
    size: int  #: bytes
    problems: tuple[str, ...]


@dataclass(frozen=True)
class ConnectorsContents(Record):
    """The snapshots of the connectors of one stage: modules with parameters of their own in its objective."""

    stage: int
    epochs: tuple[int, ...]  #: of those that are verified
    size: int  #: bytes
    problems: tuple[str, ...]


@dataclass(frozen=True)
class NetworkContents(Record):
    """What is kept of one network."""

    name: str
    role: str | None  #: teacher, baseline, student or assistant, where run.json says so
    finished: bool | None  #: whether there is a run.json, written last; None if only snapshots were asked for
    snapshots: tuple[SnapshotContents, ...]  #: by epoch and step
    gaps: tuple[tuple[int, int], ...]  #: first and last epoch of each gap between whole, valid snapshots
    maps: tuple[MapsContents, ...]
    resume: tuple[int, int] | None  #: epoch and step at which an interrupted training goes on
    problems: tuple[str, ...]  #: of its settings, its logs and what a resume needs
    connectors: tuple[ConnectorsContents, ...] = ()  #: by stage


@dataclass(frozen=True)
class RunContents(Record):
    """What is in a run."""

    path: Path
    form: str  #: experiment, network, snapshots or file
    networks: tuple[NetworkContents, ...]
    leftovers: tuple[str, ...]  #: temporary files of writers that were killed; they may be removed
    notes: tuple[str, ...]  #: what is no damage, but should be known
    problems: tuple[str, ...]  #: everything that is damaged, in words
    size: int  #: bytes of all files

    @property
    def sound(self) -> bool:
        return not self.problems

"""The snapshots of connectors, in the folder `connectors` beside the network's own, one folder for each stage."""

from pathlib import Path

from torch import Tensor

from kdprobe.errors import SnapshotError
from kdprobe.storage import SnapshotStore
from kdprobe.storage.snapshot_record import snapshot_file
from kdprobe.training.resume import ResumePoint, remove_newer, remove_snapshots, snapshot_files


class StoredConnectors:
    """In `folder`/stage-0, stage-1, ...; nothing is made before something is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, store: SnapshotStore) -> "StoredConnectors":
        return cls(store.folder.parent / "connectors")

    def store(self, stage: int) -> SnapshotStore:
        return SnapshotStore(self.folder / f"stage-{stage}")

    def go_back(self, point: ResumePoint | None) -> None:
        """Removes what is newer than `point`; None: everything, for the training begins anew."""
        for folder in sorted(self.folder.glob("stage-*")):
            if point is None:
                remove_snapshots(snapshot_files(folder))
            else:
                remove_newer(point, SnapshotStore(folder))

    def complete(self, point: ResumePoint) -> None:
        """Writes the last ones of a stage that ended with `point`, if it has connectors and they are not there."""
        state: dict[str, Tensor] = point.state("connectors")
        store = self.store(point.stage)
        if state and not (store.folder / snapshot_file(point.epoch, point.step)).exists():
            try:
                store.save(state, epoch=point.epoch, step=point.step, stage=point.stage)
            except SnapshotError as error:
                if not isinstance(error.__cause__, OSError):
                    raise

"""Weights of a network, one immutable file per epoch; the folder's listing is the index."""

import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.storage.atomic import fsync_folder, named_failure
from kdprobe.storage.contents import read_tensors
from kdprobe.storage.envelope import IN_MEMORY, corrupt
from kdprobe.storage.image import Entry, Image, image_bytes
from kdprobe.storage.image_file import write_image
from kdprobe.storage.names import chosen, patterns, plain_names
from kdprobe.storage.places import hdf5_files
from kdprobe.storage.snapshot_record import (
    KIND,
    Snapshot,
    described,
    described_by,
    named_place,
    packed_header,
    snapshot_file,
)
from kdprobe.storage.state import State

_LONG = 999_999_999


class SnapshotStore:
    """The snapshots in one folder. Works on any nn.Module; the folder is made by the first save.

    `include`, `exclude`: patterns as in a shell on the tensors' plain names (`features.*`), one or several; `save`
    keeps the tensors that match one of `include` (None: all) and none of `exclude`. Such a snapshot records the
    patterns, and `load_state` refuses it for a whole model. `in_memory`: bytes of a file up to which it is written
    and read in one piece; a larger one goes tensor by tensor, and takes no memory beside the tensors.
    Raises InputError for what is no pattern.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        *,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        in_memory: int = IN_MEMORY,
    ):
        self.folder = Path(folder)
        self.include = patterns("include", include)
        self.exclude = patterns("exclude", exclude)
        self.in_memory = in_memory
        self._skipped: list[tuple[Path, str]] = []

    @property
    def skipped(self) -> list[tuple[Path, str]]:
        """(path, reason) of the files that the last `list` or `newest` did not take for valid snapshots."""
        return list(self._skipped)

    def save(
        self,
        model: torch.nn.Module | Mapping[str, torch.Tensor],
        *,
        epoch: int,
        step: int,
        stage: int = 0,
        partial: bool = False,
        weights: str = "raw",
    ) -> Snapshot:
        """Writes the parameters and buffers of `model` (or a state dict); on return they are on the disk.

        Names lose the prefixes of wrappers (`module.`, `_orig_mod.`). There is one file per (epoch, step):
        an existing one with equal tensors is kept, with what it says of itself (but what was `partial` gives way to
        the whole one); a damaged one is written anew, with a warning. `partial` marks a state taken inside an epoch,
        after `epoch` whole ones. `weights` says which ones these are: `raw`, or `averaged` over the training.

        Raises InputError for a negative epoch, step or stage, for other `weights`, or if the store's patterns
        leave no tensor; SnapshotError if the existing file has other tensors or is from a newer kdprobe, if a
        value cannot be stored, or if the system refuses.
        """
        state, patterns_used = _chosen_state(model, self.include, self.exclude)
        header = packed_header(
            epoch=epoch, step=step, stage=stage, partial=partial, weights=weights, **patterns_used
        )
        path = self.folder / snapshot_file(header["epoch"], header["step"])
        image = Image(header, state)
        existing = self._existing(path, image.entries)
        if existing is not None and (partial or not existing.partial):
            with named_failure("write", path):
                fsync_folder(self.folder)  # an earlier save may have failed at just this
            return existing
        return described_by(path, header, write_image(path, image, self.in_memory))

    def list(self) -> list[Snapshot]:
        """The valid snapshots by stored (epoch, step), every byte verified; other .h5 files go to `skipped`.

        A folder that does not exist holds no snapshots. Raises SnapshotError if the folder cannot be listed.
        """
        return [*self._valid()]

    def newest(self) -> Snapshot | None:
        """The valid snapshot with the greatest (epoch, step), None if there is none.

        Looks from the newest name backwards, so that one sound file is enough; what it passed over is in `skipped`.
        Raises SnapshotError if the folder cannot be listed.
        """
        return next(self._valid(newest_first=True), None)

    def load(self, snapshot: Snapshot | str | os.PathLike, only: Collection[str] | None = None) -> State:
        """The state dict in `snapshot` (from `list` or `save`, or a path): CPU tensors in the order saved.

        `only`: the names that are wanted; a file without one of them gives what it has. Reading few is cheaper.

        Raises SnapshotCorruptError if the file is damaged, claims what it must not, or has changed since it
        was listed; SnapshotError if it cannot be read or comes from a newer kdprobe.
        """
        path = snapshot.path if isinstance(snapshot, Snapshot) else Path(snapshot)
        header, tensors, digest = read_tensors(path, KIND, self.in_memory, only)
        found = described_by(path, header, digest)
        if isinstance(snapshot, Snapshot) and digest != snapshot.digest:
            raise corrupt(path, "its content has changed since it was listed")
        return State(tensors, found.include, found.exclude)

    def _valid(self, newest_first: bool = False) -> Iterator[Snapshot]:
        self._skipped = []
        for path in sorted(hdf5_files(self.folder), key=named_place, reverse=newest_first):
            try:
                yield described(path, self.in_memory)[0]
            except SnapshotError as error:
                self._skipped.append((path, str(error)))

    def _existing(self, path: Path, entries: Sequence[Entry]) -> Snapshot | None:
        if not os.path.lexists(path):
            return None
        try:
            snapshot, stored = described(path, self.in_memory)
        except SnapshotCorruptError as error:
            warnings.warn(f"{error} It is written anew.", UserWarning, stacklevel=3)
            return None
        if sorted(e.content for e in stored) != sorted(e.content for e in entries):
            raise SnapshotError(
                f"{path} exists with other weights; save into an empty folder, or remove the old run first."
            )
        return snapshot


def snapshot_bytes(
    model: torch.nn.Module | Mapping[str, torch.Tensor],
    include: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
) -> int:
    """Size of the file in which a SnapshotStore with these patterns would keep `model`; nothing is written.

    At most some bytes too many (the number of digits of epoch and step is not known yet). Raises what `save` raises.
    """
    state, used = _chosen_state(model, patterns("include", include), patterns("exclude", exclude))
    header = packed_header(epoch=_LONG, step=_LONG, stage=_LONG, partial=True, weights="averaged", **used)
    return image_bytes(header, state)


def _chosen_state(
    model: torch.nn.Module | Mapping[str, torch.Tensor], include: tuple[str, ...], exclude: tuple[str, ...]
) -> tuple[dict[str, torch.Tensor], dict[str, tuple[str, ...]]]:
    """The tensors to store by plain name, and the patterns that left some out (none, if they left out nothing)."""
    state = model.state_dict() if isinstance(model, torch.nn.Module) else model
    if not isinstance(state, Mapping):
        raise InputError(f"Expected a module or a mapping of names to tensors, got {type(model).__name__}.")
    names = plain_names(state)
    plain = {names[name]: value for name, value in state.items()}
    if len(plain) != len(state):
        raise SnapshotError(
            "Two tensors have the same name once wrapper prefixes are stripped; rename one of them."
        )
    left = {name: plain[name] for name in chosen(plain, include, exclude)}
    whole = len(left) == len(plain)
    return left, {"include": () if whole else include, "exclude": () if whole else exclude}

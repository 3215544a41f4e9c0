"""Snapshots as files that other tools read."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from kdprobe.errors import InputError, SnapshotError
from kdprobe.records import Record
from kdprobe.storage.atomic import write_atomically
from kdprobe.storage.places import EXPERIMENT, find_run
from kdprobe.storage.snapshot_record import Snapshot
from kdprobe.storage.snapshots import SnapshotStore
from kdprobe.storage.state import State
from kdprobe.weight_files import safetensors_torch


@dataclass(frozen=True)
class Exported(Record):
    """What an export has written, and which snapshots it had to leave out."""

    files: tuple[Path, ...]
    damaged: tuple[str, ...]  #: a sentence for each snapshot that could not be read


def export_snapshots(run: str | Path, form: str, out: str | Path | None = None) -> Exported:
    """Writes each valid snapshot of `run` (experiment, network, snapshots folder) as a file of its own.

    `form`: ``safetensors`` (with metadata: epoch, step, stage, network, digest, ...; tied tensors are copied and
    listed under ``tied``) or ``torch`` (the plain state dict; ``torch.load(weights_only=True)`` reads it). They go to
    `out` (default: `run`/`form`), those of an experiment to a folder for each network; older ones are replaced. One
    snapshot at a time is in memory.

    Raises InputError for another form; SnapshotError if there is no snapshot, if safetensors is not installed or
    has no form for a tensor, or if the system refuses.
    """
    if form not in _FORMS:
        raise InputError(f"Expected a form to export to, {' or '.join(_FORMS)}, got {form!r}.")
    suffix, packed = _FORMS[form]
    found = find_run(run)
    home = Path(out) if out is not None else found.path / form
    files, damaged = [], []
    for network in found.networks:
        store = SnapshotStore(network.snapshots)
        folder = home / network.name if found.form == EXPERIMENT else home
        for snapshot in store.list():
            path = folder / f"{snapshot.name}{suffix}"
            write_atomically(path, packed(store.load(snapshot), snapshot, network.name))
            files.append(path)
        damaged += [reason for _, reason in store.skipped]
    if not files and not damaged:
        raise SnapshotError(f"{found.path} holds no snapshot; save some first.")
    return Exported(tuple(files), tuple(damaged))


def _as_safetensors(state: State, snapshot: Snapshot, network: str) -> bytes:
    module = safetensors_torch()
    first: dict[int, str] = {}
    tied: dict[str, list[str]] = {}
    tensors = {}
    for name, value in state.items():
        if value.dtype is torch.complex128 or name == "__metadata__":
            problem = "of dtype complex128" if name != "__metadata__" else "called __metadata__"
            raise SnapshotError(
                f"{snapshot.path}: safetensors has no form for {name!r}, a tensor {problem}; export with --to torch."
            )
        other = first.setdefault(id(value), name)
        if other != name:
            tied.setdefault(other, [other]).append(name)
        tensors[name] = value if other == name else value.clone()
    metadata = {
        "format": "pt",
        "written_by": "kdprobe",
        "network": network,
        "epoch": str(snapshot.epoch),
        "step": str(snapshot.step),
        "stage": str(snapshot.stage),
        "partial": str(snapshot.partial).lower(),
        "weights": snapshot.weights,
        "include": json.dumps(snapshot.include),
        "exclude": json.dumps(snapshot.exclude),
        "digest": snapshot.digest,
        "tied": json.dumps(list(tied.values())),
    }
    return module.save(tensors, metadata)


def _as_torch(state: State, _snapshot: Snapshot, _network: str) -> memoryview:
    file = io.BytesIO()
    torch.save(dict(state), file)
    return file.getbuffer()


_FORMS: dict[str, tuple[str, Callable[[State, Snapshot, str], bytes | memoryview]]] = {
    "safetensors": (".safetensors", _as_safetensors),
    "torch": (".pt", _as_torch),
}

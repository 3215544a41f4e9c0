"""Snapshots, entropy maps and logs on disk, in a form that a crash cannot break (FORMAT.md)."""

from kdprobe.storage.atomic import write_atomically
from kdprobe.storage.entropy import EntropyStore
from kdprobe.storage.exporting import Exported, export_snapshots
from kdprobe.storage.importing import Imported, import_checkpoints
from kdprobe.storage.inspect import RunContents, inspect_run
from kdprobe.storage.pack import Packed, pack_run
from kdprobe.storage.plain_json import append_jsonl, read_json, read_jsonl, write_json
from kdprobe.storage.snapshot_record import WEIGHTS, Snapshot, is_snapshot_file
from kdprobe.storage.snapshots import SnapshotStore, snapshot_bytes
from kdprobe.storage.state import load_state
from kdprobe.storage.unpack import unpack_run

__all__ = [
    "WEIGHTS",
    "EntropyStore",
    "Exported",
    "Imported",
    "Packed",
    "RunContents",
    "Snapshot",
    "SnapshotStore",
    "append_jsonl",
    "export_snapshots",
    "import_checkpoints",
    "inspect_run",
    "is_snapshot_file",
    "load_state",
    "pack_run",
    "read_json",
    "read_jsonl",
    "snapshot_bytes",
    "unpack_run",
    "write_atomically",
    "write_json",
]

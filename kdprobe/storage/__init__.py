"""Snapshots, entropy maps and logs on disk, in a form that a crash cannot break (FORMAT.md)."""

from kdprobe.storage.atomic import write_atomically
from kdprobe.storage.entropy import EntropyStore, joined_noise
from kdprobe.storage.plain_json import append_jsonl, read_json, read_jsonl, write_json
from kdprobe.storage.snapshots import Snapshot, SnapshotStore
from kdprobe.storage.state import load_state

__all__ = [
    "EntropyStore",
    "Snapshot",
    "SnapshotStore",
    "append_jsonl",
    "joined_noise",
    "load_state",
    "read_json",
    "read_jsonl",
    "write_atomically",
    "write_json",
]

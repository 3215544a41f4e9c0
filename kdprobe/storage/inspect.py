"""What is in a run, every file read and verified."""

import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from kdprobe.errors import SnapshotError
from kdprobe.storage.atomic import named_failure
from kdprobe.storage.contents import read_header
from kdprobe.storage.envelope import corrupt
from kdprobe.storage.inspect_parts import connectors_contents, maps_contents, size_of
from kdprobe.storage.places import NetworkPlace, find_run, texts_in
from kdprobe.storage.plain_json import read_json, read_jsonl
from kdprobe.storage.resume import ResumeStore
from kdprobe.storage.run_contents import NetworkContents, RunContents, SnapshotContents
from kdprobe.storage.snapshot_record import described, named_place
from kdprobe.storage.snapshots import SnapshotStore
from kdprobe.storage.unpack import check_packed


def inspect_run(path: str | Path) -> RunContents:
    """What is at `path`: an experiment, a network, a folder of snapshots, or one file.

    Every snapshot, those of connectors too, and every entropy map is read and verified, one file at a time; nothing is
    changed.

    Raises SnapshotError if there is nothing of this kind, or a folder cannot be listed.
    """
    path = Path(path)
    if path.is_file():
        return _one_file(path)
    found = find_run(path)
    notes: list[str] = []
    own = _text_problems(path, notes) if found.form == "experiment" else []
    networks = tuple(_network(place, notes) for place in found.networks)
    problems = own + [each for network in networks for each in _problems(network)]
    with named_failure("list", path):
        files = [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
        size = sum(each.stat().st_size for each in files)
    leftovers = sorted(str(each.relative_to(path)) for each in files if _is_temporary(each, path))
    return RunContents(path, found.form, networks, tuple(leftovers), tuple(notes), tuple(problems), size)


def _one_file(path: Path) -> RunContents:
    networks, notes, problems = (), [], []
    if named_place(path)[0] >= 0:
        snapshot = _snapshot(path)
        folder = path.resolve().parent
        name = folder.parent.name if folder.name == "snapshots" else folder.name
        if folder.parent.name == "connectors":
            name = f"{folder.parent.parent.name}, connectors of {folder.name}"
        networks = (NetworkContents(name, None, None, (snapshot,), (), (), None, ()),)
        problems = _problems(networks[0])
    else:
        try:
            notes.append(_kind(path))
        except SnapshotError as error:
            problems.append(str(error))
    return RunContents(path, "file", networks, (), tuple(notes), tuple(problems), size_of(path))


def _kind(path: Path) -> str:
    """What a sound file is, in words. Raises SnapshotError if it is not sound, or none of kdprobe's."""
    packed = check_packed(path)
    if packed is not None:
        return f"a packed run of {packed.files} files"
    header = read_header(path, None)[0]
    kind = header.get("kind")
    if kind == "entropy" and isinstance(header.get("ids"), list):
        return f"entropy maps of {len(header['ids'])} images at {header.get('snapshot')}"
    if kind == "resume":
        epoch, step = _resume_place(path, header)
        return f"what a training needs to go on from epoch {epoch}, step {step}"
    if kind == "snapshot":
        described(path)  # says what name it lacks
    raise corrupt(path, "its header does not say what it holds")


def _network(place: NetworkPlace, notes: list[str]) -> NetworkContents:
    folder = place.folder
    problems = [] if folder is None else _text_problems(folder, notes)
    finished, role = None, None
    if folder is not None:
        finished = (folder / "run.json").exists()
        role = _quietly(lambda: read_json(folder / "run.json").get("role")) if finished else None
    store = SnapshotStore(place.snapshots)
    valid = [_valid(snapshot) for snapshot in store.list()]
    damaged = [_damaged(path, reason) for path, reason in store.skipped]
    snapshots = sorted([*valid, *damaged], key=lambda each: (each.epoch or 0, each.step or 0, each.file))
    gaps = _gaps(sorted({each.epoch for each in valid if not each.partial}))
    maps = tuple(maps_contents(analysis) for analysis in place.analyses)
    role = role if isinstance(role, str) else None
    resume = None if folder is None else _resume(folder, problems)
    connectors = tuple(connectors_contents(*each) for each in place.connectors.items())
    found = (place.name, role, finished, tuple(snapshots), gaps, maps, resume, tuple(problems))
    return NetworkContents(*found, connectors)


def _resume(folder: Path, problems: list[str]) -> tuple[int, int] | None:
    """Epoch and step of the newest valid state to go on from; what is wrong with the others goes to `problems`."""
    store, found = ResumeStore(folder), []
    for path in (store.path, store.previous):
        if path.exists():
            try:
                found.append(_resume_place(path, read_header(path, "resume")[0]))
            except SnapshotError as error:
                problems.append(str(error))
    return max(found, default=None)


def _resume_place(path: Path, header: dict[str, Any]) -> tuple[int, int]:
    place = header.get("epoch"), header.get("step")
    if not all(type(each) is int and each >= 0 for each in place):
        raise corrupt(path, "epoch or step is missing")
    return place


def _snapshot(path: Path) -> SnapshotContents:
    try:
        return _valid(described(path)[0])
    except SnapshotError as error:
        return _damaged(path, str(error))


def _valid(snapshot: Any) -> SnapshotContents:
    numbers = (snapshot.epoch, snapshot.step, snapshot.stage, snapshot.partial, snapshot.weights)
    return SnapshotContents(snapshot.path.name, *numbers, size_of(snapshot.path), None)


def _damaged(path: Path, reason: str) -> SnapshotContents:
    epoch, step, _ = named_place(path)
    known = (epoch, step) if epoch >= 0 else (None, None)
    return SnapshotContents(path.name, *known, None, False, None, size_of(path), reason)


def _gaps(epochs: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple((a + 1, b - 1) for a, b in pairwise(epochs) if b - a > 1)


def _text_problems(folder: Path, notes: list[str]) -> list[str]:
    """What is wrong with the settings and logs in `folder`; a torn last line of a log is only noted."""
    problems = []
    for path in texts_in(folder):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a torn line is told once, in the notes
                if path.suffix == ".json":
                    read_json(path)
                elif path.suffix == ".jsonl":
                    notes += read_jsonl(path).skipped
        except SnapshotError as error:
            problems.append(str(error))
    return problems


def _problems(network: NetworkContents) -> list[str]:
    damaged = [each.problem for each in network.snapshots if each.problem is not None]
    parts = (*network.connectors, *network.maps)
    return [*network.problems, *damaged, *(problem for part in parts for problem in part.problems)]


def _quietly(read: Callable[[], Any]) -> Any:
    """None where the reader refuses: what is wrong with the file is told elsewhere."""
    try:
        return read()
    except SnapshotError:
        return None


def _is_temporary(path: Path, top: Path) -> bool:
    return any(part.startswith(".") and part.endswith(".tmp") for part in path.relative_to(top).parts)

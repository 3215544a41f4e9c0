"""A log of what a program asked of the disk, and every disk that a crash or a power loss may leave of it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Change:
    """One request. `file` is a number that a file keeps through all its names."""

    kind: str  #: write, truncate; create, rename, remove, mkdir; sync, sync_folder; done
    path: str = ""
    file: int = -1
    start: int = 0  #: of write: where; of truncate: the size
    data: bytes = b""
    to: str = ""  #: of rename
    what: object = None  #: of done: what the program was told is on the disk

    def synced_by(self, later):
        if self.kind in ("write", "truncate"):
            return later.kind == "sync" and later.file == self.file
        return later.kind == "sync_folder" and later.path == os.path.dirname(self.path)


class Recorder:
    """Writes down what goes through `os` from now on; `patch`: the MonkeyPatch that ends it."""

    def __init__(self, patch):
        self.log = []
        self._file_of = {}  # by path
        self._at = {}  # by descriptor: [path or file, position]
        for name in (
            "open",
            "close",
            "write",
            "read",
            "lseek",
            "ftruncate",
            "fsync",
            "replace",
            "unlink",
            "mkdir",
        ):
            patch.setattr(os, name, self._recorded(getattr(os, name), getattr(self, f"after_{name}")))

    def done(self, what):
        self.log.append(Change("done", what=what))

    @staticmethod
    def _recorded(call, note):
        def recorded(*args, **options):
            result = call(*args, **options)
            note(result, *args)
            return result

        return recorded

    def after_open(self, descriptor, path, flags, *_):
        path = os.fspath(path)
        if os.path.isdir(path):
            self._at[descriptor] = [path, 0]
            return
        if path not in self._file_of:
            self._file_of[path] = len(self.log)
            self.log.append(Change("create", path, self._file_of[path]))
        self._at[descriptor] = [self._file_of[path], 0]

    def after_close(self, _, descriptor):
        self._at.pop(descriptor, None)

    def after_write(self, count, descriptor, data):
        if descriptor in self._at:
            file, position = self._at[descriptor]
            self.log.append(Change("write", file=file, start=position, data=bytes(data[:count])))
            self._at[descriptor][1] += count

    def after_read(self, data, descriptor, _):
        if descriptor in self._at:
            self._at[descriptor][1] += len(data)

    def after_lseek(self, position, descriptor, *_):
        self._at[descriptor][1] = position

    def after_ftruncate(self, _, descriptor, size):
        self.log.append(Change("truncate", file=self._at[descriptor][0], start=size))

    def after_fsync(self, _, descriptor):
        target = self._at[descriptor][0]
        folder = isinstance(target, str)
        self.log.append(Change("sync_folder", target) if folder else Change("sync", file=target))

    def after_replace(self, _, path, to):
        path, to = os.fspath(path), os.fspath(to)
        file = self._file_of.pop(path)
        self._file_of[to] = file
        self.log.append(Change("rename", path, file, to=to))

    def after_unlink(self, _, path):
        path = os.fspath(path)
        self.log.append(Change("remove", path, self._file_of.pop(path)))

    def after_mkdir(self, _, path, *__):
        self.log.append(Change("mkdir", os.fspath(path)))


class Disk:
    """What is on a disk after `changes`; names in a folder that is not there are lost with it."""

    def __init__(self, root, changes):
        self.root = str(root)
        self.folders, self.names, self.contents = {self.root}, {}, {}
        for change in changes:
            self._apply(change)

    def _apply(self, change):
        content = self.contents.setdefault(change.file, bytearray())
        if change.kind == "write":
            content.extend(bytes(max(0, change.start + len(change.data) - len(content))))
            content[change.start : change.start + len(change.data)] = change.data
        elif change.kind == "truncate":
            content.extend(bytes(max(0, change.start - len(content))))
            del content[change.start :]
        elif change.kind == "mkdir":
            self.folders.add(change.path)
        elif change.kind in ("create", "rename", "remove"):
            if self.names.get(change.path, change.file) == change.file:
                self.names.pop(change.path, None)
            if change.kind != "remove":
                self.names[change.to or change.path] = change.file

    @property
    def files(self):
        """Content by path relative to the root."""
        return {
            os.path.relpath(path, self.root): bytes(self.contents[file])
            for path, file in sorted(self.names.items())
            if all(str(parent) in self.folders for parent in Path(path).parents if self.root in str(parent))
        }

    def put(self, folder):
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def after_kill(log, at):
    """The changes that the system has when the program is killed before number `at`, and in the middle of a write."""
    yield log[:at]
    if at < len(log) and log[at].kind == "write":
        yield [*log[:at], torn(log[at], first=True)]


def after_power_loss(log, at, chance, draws):
    """The changes that the disk may have if the power fails before number `at`.

    What was synced is there. Of all else any part may be there, in any order, writes in part: nothing, everything,
    names without contents, contents without names, and `draws` times by chance.
    """
    before = log[:at]
    synced = [any(change.synced_by(later) for later in before[i:]) for i, change in enumerate(before)]
    kept = [change for change, safe in zip(before, synced, strict=True) if safe]
    rest = [change for change, safe in zip(before, synced, strict=True) if not safe]
    of_contents = [change for change in rest if change.kind in ("write", "truncate")]
    of_names = [change for change in rest if change.kind in ("create", "rename", "remove", "mkdir")]
    yield kept
    yield kept + of_contents + of_names
    yield kept + of_names
    yield kept + of_contents
    yield kept + [torn(change, first=False) for change in of_contents] + of_names
    for _ in range(draws):
        drawn = [change for change in of_contents + of_names if chance.random() < 0.7]
        drawn = [change if chance.random() < 0.6 else torn(change, chance.random() < 0.5) for change in drawn]
        chance.shuffle(drawn)
        yield kept + drawn


def torn(change, first):
    """The first half of a write, or the second alone, before which the disk has a hole."""
    if change.kind != "write":
        return change
    half = len(change.data) // 2
    start = change.start if first else change.start + half
    data = change.data[:half] if first else change.data[half:]
    return Change("write", file=change.file, start=start, data=data)

"""What lies beside the snapshots of a network, every file read and verified."""

from pathlib import Path

from kdprobe.errors import SnapshotError
from kdprobe.storage.atomic import named_failure
from kdprobe.storage.entropy import EntropyStore
from kdprobe.storage.envelope import corrupt
from kdprobe.storage.run_contents import ConnectorsContents, MapsContents
from kdprobe.storage.snapshots import SnapshotStore


def maps_contents(folder: Path) -> MapsContents:
    """The entropy maps in `folder`, of one analysis. Raises SnapshotError if it cannot be listed."""
    store, problems = EntropyStore(folder), []
    layers, images, measured, size = set(), 0, 0, 0
    with named_failure("list", folder):
        names = sorted(each.name for each in folder.iterdir() if each.is_dir() and each.name[:1] != ".")
        size = sum(each.stat().st_size for each in folder.rglob("*.h5") if each.is_file())
    for name in names:
        try:
            found = store.load(name)
        except SnapshotError as error:
            problems.append(str(error))
            continue
        if found is not None:
            measured, images = measured + 1, max(images, len(found[1]))
            layer = found[0].stats.get("layer")
            layers.add(layer if isinstance(layer, str) else None)
    layer = layers.pop() if len(layers) == 1 else None
    return MapsContents(folder.name, layer, measured, images, size, tuple(problems))


def connectors_contents(stage: int, folder: Path) -> ConnectorsContents:
    """The connectors of `stage` in `folder`. Raises SnapshotError if it cannot be listed."""
    store = SnapshotStore(folder)
    valid = store.list()
    problems = [reason for _, reason in store.skipped]
    problems += [
        str(corrupt(each.path, f"it says that it is of stage {each.stage}, unlike its folder"))
        for each in valid
        if each.stage != stage
    ]
    epochs = [each.epoch for each in valid if each.stage == stage]
    size = sum(size_of(each.path) for each in valid) + sum(size_of(path) for path, _ in store.skipped)
    return ConnectorsContents(stage, tuple(epochs), size, tuple(problems))


def size_of(path: Path) -> int:
    """Bytes of the file at `path`."""
    try:
        return path.stat().st_size
    except OSError:  # it has gone since it was listed
        return 0

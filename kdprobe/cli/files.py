"""The commands that work on files alone and need no training: inspect, pack, unpack, export, import."""

from dataclasses import asdict

from jsonargparse import Namespace

from kdprobe.report.contents import contents_table
from kdprobe.storage import (
    export_snapshots,
    import_checkpoints,
    inspect_run,
    pack_run,
    unpack_run,
    write_json,
)


def inspect(options: Namespace) -> int:
    found = inspect_run(options.run)
    print(contents_table(found), end="")
    if options.json is not None:
        write_json(options.json, {**asdict(found), "sound": found.sound})
        print(f"list  {options.json}")
    return 0 if found.sound else 1


def pack(options: Namespace) -> int:
    packed = pack_run(options.run, options.file)
    print(f"{packed.files} files in {packed.path}")
    return 0


def unpack(options: Namespace) -> int:
    packed = unpack_run(options.file, options.run)
    print(f"{packed.files} files in {packed.path}")
    return 0


def export(options: Namespace) -> int:
    exported = export_snapshots(options.run, options.to, options.out)
    for path in exported.files:
        print(path)
    for problem in exported.damaged:
        print(f"left out: {problem}")
    return 1 if exported.damaged else 0


def import_files(options: Namespace) -> int:
    found = import_checkpoints(
        options.files, options.run, epochs=options.epochs, key=options.key, strip=options.strip
    )
    for each in found:
        print(f"{each.snapshot}  epoch by {each.source:<13} {each.file}")
    return 0


COMMANDS = {"inspect": inspect, "pack": pack, "unpack": unpack, "export": export, "import": import_files}

"""A run into one HDF5 file (packed_layout.py says how it lies in it)."""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kdprobe.errors import SnapshotError
from kdprobe.records import Record
from kdprobe.storage.atomic import named_failure, new_file, write_all
from kdprobe.storage.envelope import (
    BLOCK,
    IN_MEMORY,
    PIECE,
    corrupt,
    digest_from,
    opened_verified,
    user_block,
)
from kdprobe.storage.image import undisturbed
from kdprobe.storage.packed_layout import Layout, Source, laid_out, looked_into
from kdprobe.storage.places import EXPERIMENT, NetworkPlace, RunPlace, find_run, hdf5_files, texts_in
from kdprobe.storage.resume import ResumeStore


@dataclass(frozen=True)
class Packed(Record):
    """A packed file, or the folder made of one."""

    path: Path
    files: int  #: of the run that are in it
    size: int  #: bytes


def pack_run(run: str | Path, out: str | Path) -> Packed:
    """Writes the new file `out` with the snapshots, connectors, entropy maps, settings and logs of `run`, verified.

    `run`: an experiment, a network or a folder of snapshots. Tables, figures and report are not in it. Takes the memory
    of the texts and of some kB for each snapshot. The same run gives the same bytes.

    Raises SnapshotError if there is no run or `out` exists, SnapshotCorruptError naming a file of the run that is
    damaged; then nothing is written.
    """
    out = Path(out)
    if os.path.lexists(out):
        raise SnapshotError(f"{out} exists already; give another name or remove it.")
    found = find_run(run)
    texts = {name: _text(path) for name, path in _texts(found)}
    sources = [looked_into(source) for network in found.networks for source in _sources(found, network)]
    if not sources:
        raise SnapshotError(f"{found.path} holds no snapshot; save some first.")
    layout = undisturbed(lambda: laid_out(found, texts, sources))
    with new_file(out) as descriptor:
        _write_frame(descriptor, layout)
        for number, source in enumerate(sources):
            with opened_verified(source.path, IN_MEMORY) as (content, _, digest):
                if digest != source.digest:
                    raise SnapshotError(f"{source.path} changed while it was packed; pack again.")
                for offset, spans in layout.holes[number]:
                    os.lseek(descriptor, offset, os.SEEK_SET)
                    for piece in _pieces(content, spans):
                        write_all(descriptor, piece)
        with open(descriptor, "rb", closefd=False) as file:
            digest, length = digest_from(file, BLOCK)
        os.lseek(descriptor, 0, os.SEEK_SET)
        write_all(descriptor, user_block(length, digest))
    return Packed(out, len(sources) + len(texts), BLOCK + length)


def _texts(found: RunPlace) -> Iterator[tuple[str, Path]]:
    if found.form == EXPERIMENT:
        yield from ((path.name, path) for path in texts_in(found.path))
    for network in found.networks:
        if network.folder is not None:
            for path in texts_in(network.folder):
                yield _inside(found, network, path.name), path


def _text(path: Path) -> bytes:
    with named_failure("read", path):
        data = path.read_bytes()
    try:
        sound = "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        sound = False
    if not sound:
        raise corrupt(path, "it is not a text")
    return data


def _sources(found: RunPlace, network: NetworkPlace) -> Iterator[Source]:
    home = ("networks", network.name)
    for path in hdf5_files(network.snapshots):
        name = _inside(found, network, f"snapshots/{path.name}")
        yield Source(path, name, (*home, "snapshots", path.stem), "snapshot")
    for folder in network.connectors.values():
        for path in hdf5_files(folder):
            place = ("connectors", folder.name)
            name = _inside(found, network, "/".join((*place, path.name)))
            yield Source(path, name, (*home, *place, path.stem), "snapshot")
    for analysis in network.analyses:
        for folder in sorted(each for each in analysis.iterdir() if each.is_dir()):
            for path in hdf5_files(folder):
                place = (analysis.name, folder.name)
                name = _inside(found, network, "/".join(("entropy", *place, path.name)))
                yield Source(path, name, (*home, "entropy", *place, path.stem), "entropy")
    if network.folder is not None:
        store = ResumeStore(network.folder)
        for path in (store.path, store.previous):
            if path.exists():
                yield Source(path, _inside(found, network, path.name), (*home, path.stem), "resume")


def _inside(found: RunPlace, network: NetworkPlace, name: str) -> str:
    return f"networks/{network.name}/{name}" if found.form == EXPERIMENT else name


def _write_frame(descriptor: int, layout: Layout) -> None:
    """What HDF5 puts around the numbers; the rest of the file is left empty."""
    position = 0
    holes = sorted(
        (offset, sum(stop - start for start, stop in spans))
        for pieces in layout.holes.values()
        for offset, spans in pieces
    )
    for offset, length in [*holes, (layout.frame.size, 0)]:
        os.lseek(descriptor, position, os.SEEK_SET)
        write_all(descriptor, layout.frame.part(position, offset))
        position = offset + length
    os.ftruncate(descriptor, layout.frame.size)


def _pieces(content: BinaryIO, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    for start, stop in spans:
        content.seek(start)
        while start < stop:
            piece = content.read(min(PIECE, stop - start))
            if not piece:
                raise OSError(errno.EIO, "the disk gives back less than it verified")
            start += len(piece)
            yield piece

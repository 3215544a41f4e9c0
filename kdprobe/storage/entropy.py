"""Entropy maps of a snapshot, in shards of images, in the same form of file as the weights."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from kdprobe.errors import InputError, SnapshotCorruptError, SnapshotError
from kdprobe.records import EntropyResult, Outcome
from kdprobe.storage.atomic import fsync_folder, named_failure
from kdprobe.storage.contents import read_header, read_tensors
from kdprobe.storage.envelope import corrupt
from kdprobe.storage.image import Image
from kdprobe.storage.image_file import write_image
from kdprobe.storage.plain_json import plain

_KIND = "entropy"
_NAME = re.compile(r"(\d{5,})\.h5", re.ASCII)


class EntropyStore:
    """The entropy maps of one analysis: one folder per snapshot, one immutable file per shard of images."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def save(self, snapshot_name: str, shard: int, result: EntropyResult, ids: tuple[str, ...]) -> Path:
        """Writes the maps (N, g, g; nats) of the images `ids` (N texts); on return they are on the disk.

        `result.stats` must consist of what JSON knows: numbers (NaN too), texts, bools, None, lists, dicts
        with text keys; tuples and arrays become lists. An existing shard with the same maps, outcomes and ids
        is kept, with the stats it has; a damaged one is written anew.

        Raises InputError if lengths do not agree or stats hold something else; SnapshotError if the existing
        shard holds other maps, or if the system refuses.
        """
        path = self._path(snapshot_name, shard)
        header, tensors = _packed(snapshot_name, shard, result, tuple(ids))
        image = Image(header, tensors)
        if self.has(snapshot_name, shard):
            old_header, old_entries, _ = read_header(path, _KIND)
            same = all(old_header.get(key) == header[key] for key in ("ids", "outcome"))
            if not same or [e.content for e in old_entries] != [e.content for e in image.entries]:
                raise SnapshotError(
                    f"{path} exists with other entropy maps; measure into another folder or remove it."
                )
            with named_failure("write", path):
                fsync_folder(path.parent)  # an earlier save may have failed at just this
            return path
        write_image(path, image)
        return path

    def has(self, snapshot_name: str, shard: int) -> bool:
        """True if this shard is there and every byte of it is as it was written; False if missing or damaged.

        Raises SnapshotError if it is there but cannot be read (no permission, newer kdprobe).
        """
        path = self._path(snapshot_name, shard)
        if not os.path.lexists(path):
            return False
        try:
            _check_place(path, read_header(path, _KIND)[0], snapshot_name, shard)
        except SnapshotCorruptError:
            return False
        return True

    def load(self, snapshot_name: str) -> tuple[EntropyResult, tuple[str, ...]] | None:
        """All shards of a snapshot in order as one result, and the image ids; None if there is none yet.

        With several shards, `stats` holds what they agree on, and under `shards` the stats of each; `noise` gets
        deviations of 0 where a shard has fewer than another, and is None where a shard (of an older kdprobe) has none.

        Raises SnapshotCorruptError if a shard is damaged, SnapshotError if one is missing between others.
        """
        shards = self._shards(snapshot_name)
        if not shards:
            return None
        if shards != list(range(len(shards))):
            missing = min(set(range(shards[-1])) - set(shards))
            raise SnapshotError(f"{self._path(snapshot_name, missing)} is missing; measure this shard again.")
        parts = [self._load_shard(snapshot_name, shard) for shard in shards]
        results, ids = [part[0] for part in parts], tuple(each for part in parts for each in part[1])
        if len({result.entropy.shape[1:] for result in results}) > 1:
            raise SnapshotError(
                f"The shards in {self.folder / snapshot_name} differ in grid; measure them again."
            )
        merged = EntropyResult(
            torch.cat([result.entropy for result in results]),
            torch.cat([result.std_error for result in results]),
            tuple(outcome for result in results for outcome in result.outcome),
            _merged_stats([result.stats for result in results]),
            joined_noise([result.noise for result in results]),
        )
        return merged, ids

    def _load_shard(self, snapshot_name: str, shard: int) -> tuple[EntropyResult, tuple[str, ...]]:
        path = self._path(snapshot_name, shard)
        header, tensors, _ = read_tensors(path, _KIND)
        _check_place(path, header, snapshot_name, shard)
        try:
            for key, kind in (("ids", list), ("outcome", list), ("stats", dict)):
                if not isinstance(header[key], kind):
                    raise TypeError(f"{key} is no {'list' if kind is list else 'object'}")
            outcome = tuple(Outcome(value) for value in header["outcome"])
            maps = tensors["entropy"], tensors["std_error"]
            result = EntropyResult(*maps, outcome, header["stats"], tensors.get("noise"))
            ids = tuple(header["ids"])
            _check_lengths(result, ids)
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(path, f"its header does not describe entropy maps ({error})") from error
        return result, ids

    def _shards(self, snapshot_name: str) -> list[int]:
        folder = self._path(snapshot_name, 0).parent
        with named_failure("list", folder):
            names = [path.name for path in folder.iterdir()] if folder.exists() else []
        return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)

    def _path(self, snapshot_name: str, shard: int) -> Path:
        if (
            snapshot_name in ("", ".", "..")
            or Path(snapshot_name).name != snapshot_name
            or "\0" in snapshot_name
        ):
            raise InputError(
                f"Expected a snapshot's name such as epoch-00003_step-000001173, got {snapshot_name!r}."
            )
        if isinstance(shard, bool) or not isinstance(shard, int) or shard < 0:
            raise InputError(f"Expected shard as a whole number of at least 0, got {shard!r}; count from 0.")
        return self.folder / snapshot_name / f"{shard:05d}.h5"


def _packed(snapshot_name: str, shard: int, result: EntropyResult, ids: tuple[str, ...]) -> tuple[dict, dict]:
    _check_lengths(result, ids)
    header = {
        "kind": _KIND,
        "snapshot": snapshot_name,
        "shard": shard,
        "ids": list(ids),
        "outcome": [outcome.value for outcome in result.outcome],
        "stats": plain(result.stats, "stats", keep_non_finite=True),
    }
    tensors = {"entropy": result.entropy, "std_error": result.std_error}
    return header, tensors if result.noise is None else {**tensors, "noise": result.noise}


def _check_lengths(result: EntropyResult, ids: tuple[str, ...]) -> None:
    if not all(isinstance(each, str) for each in ids):
        raise InputError("Expected image ids as texts; pass the ids of the data set.")
    shape = tuple(result.entropy.shape)
    if len(shape) != 3 or tuple(result.std_error.shape) != shape:
        raise InputError(
            f"Expected entropy and std_error as (N, g, g), got {shape} and {tuple(result.std_error.shape)}."
        )
    noise = None if result.noise is None else tuple(result.noise.shape)
    if noise is not None and (len(noise) != 4 or (noise[0], *noise[2:]) != shape or noise[1] < 1):
        raise InputError(
            f"Expected noise as (N, R, g, g) with R >= 1 beside entropy {shape}, got {noise}; "
            "give the noise of these maps, or None."
        )
    if not shape[0] == len(result.outcome) == len(ids):
        raise InputError(
            f"Got {shape[0]} maps, {len(result.outcome)} outcomes, {len(ids)} ids; give one per image."
        )


def _check_place(path: Path, header: Mapping[str, Any], snapshot_name: str, shard: int) -> None:
    if header.get("snapshot") != snapshot_name or header.get("shard") != shard:
        raise corrupt(
            path, f"it holds shard {header.get('shard')} of {header.get('snapshot')}, unlike its path"
        )


def joined_noise(noise: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """The noise (N_k, R_k, g, g) of several results as one, (sum N_k, max R_k, g, g); None if one of them has none.

    Deviations that a result lacks are 0: the same r goes on standing for the same random numbers.
    """
    if any(each is None for each in noise):
        return None
    most = max(each.shape[1] for each in noise)
    padding = [(0, 0, 0, 0, 0, most - each.shape[1]) for each in noise]
    return torch.cat([torch.nn.functional.pad(each, pad) for each, pad in zip(noise, padding, strict=True)])


def _merged_stats(stats: list[dict[str, Any]]) -> dict[str, Any]:
    if len(stats) == 1:
        return stats[0]
    shared = {
        key: value for key, value in stats[0].items() if all(_same(key, value, other) for other in stats)
    }
    return {**shared, "shards": stats}


def _same(key: str, value: Any, other: dict[str, Any]) -> bool:
    return key in other and json.dumps(other[key], sort_keys=True) == json.dumps(value, sort_keys=True)

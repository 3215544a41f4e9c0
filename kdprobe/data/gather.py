"""Read the images of a data set one by one into `LabelledImages`; those that cannot be read are left out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import hash_order
from kdprobe.data.images import LabelledImages
from kdprobe.errors import DataError


class Reading(NamedTuple):
    """One image as it was read."""

    pixels: np.ndarray  #: (3, H, W) uint8
    foreground: np.ndarray | None  #: (H, W) bool
    size: tuple[int, int]  #: width and height in pixels before it was resized


def gather(
    asked: Asked,
    *,
    name: str,
    root: Path,
    size: int,
    candidates: Mapping[str, Sequence[str]],
    listing: Any,
    read: Callable[[str], Reading],
    foreground_kind: str | None,
    classes: Sequence[str] | None = None,
    left_out: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    **options: Any,
) -> LabelledImages:
    """Read the images of every class at `size` pixels; one that cannot be read (DataError) is left out and noted.

    `candidates`: the ids of each class, in the order of the labels; with `asked.images_per_class` they are
    taken in the order of `hash_order` until that many are good. `listing`: the file or folder that names the
    images. `classes`: how classes are called, default as in `candidates`. `left_out`: what was found unusable before;
    `notes`, `mean`, `std`: see `LabelledImages`, whose `options` are what was asked and `options`. DataError if
    no image is good.
    """
    found: dict[str, tuple[int, Reading]] = {}
    bad = list(left_out)
    for label, ids in enumerate(candidates.values()):
        good = 0
        for identity in hash_order(ids, asked.seed):
            if asked.images_per_class is not None and good == asked.images_per_class:
                break
            try:
                found[identity] = (label, read(identity))
                good += 1
            except DataError as error:
                bad.append((identity, str(error)))
    if not found and not bad:
        raise DataError(f"{name}: {listing} names no image of the classes asked for (split {asked.split!r}).")
    if not found:
        raise DataError(
            f"{name} has no usable image for split {asked.split!r} in {root}. "
            f"The first of {len(bad)}: {min(bad)[1]}"
        )
    ids = sorted(found, key=lambda i: (found[i][0], i))
    labels, sizes = [found[i][0] for i in ids], [found[i][1].size for i in ids]
    foregrounds = np.stack([found[i][1].foreground for i in ids]) if foreground_kind else None
    images = np.empty((len(ids), *found[ids[0]][1].pixels.shape), dtype=np.uint8)
    for place, identity in enumerate(ids):  # given back one by one, so that no set lies there twice
        images[place] = found.pop(identity)[1].pixels
    return LabelledImages(
        name=name,
        split=asked.split,
        classes=list(candidates) if classes is None else classes,
        images=images,
        labels=labels,
        ids=ids,
        foregrounds=foregrounds,
        foreground_kind=foreground_kind,
        mean=mean,
        std=std,
        left_out=sorted(bad),
        source_sizes=sizes,
        notes=notes,
        options={
            "root": str(root),
            "image_size": size,
            "classes": list(candidates),
            "images_per_class": asked.images_per_class,
            "foreground": asked.foreground,
            "seed": asked.seed,
            **options,
        },
    )

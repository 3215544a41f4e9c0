"""CIFAR-10 and CIFAR-100, read by torchvision; no foreground but the central square."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kdprobe.data.choosing import Reading, check_split, choose_classes, gather
from kdprobe.data.downloads import from_torchvision
from kdprobe.data.images import LabelledImages
from kdprobe.errors import ConfigError


def cifar10(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    download: bool = False,
) -> LabelledImages:
    """CIFAR-10: 32 x 32 photographs of 10 classes; `root` holds ``cifar-10-batches-py/``.

    There are no masks and no boxes: concepts can be counted only with ``foreground="central"``. Ids: split
    and number of the image in the files. `image_size` other than 32 resizes (bilinear). download: fetch the
    set (0.2 GB) if it is not there. Raises DataError if it is missing or damaged.
    """
    return _cifar("CIFAR10", split, root, image_size, classes, images_per_class, foreground, seed, download)


def cifar100(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    download: bool = False,
) -> LabelledImages:
    """CIFAR-100: as `cifar10`, with 100 classes; `root` holds ``cifar-100-python/``."""
    return _cifar("CIFAR100", split, root, image_size, classes, images_per_class, foreground, seed, download)


#: mean and std per channel of the training images, as usual in the literature
_STATISTICS = {
    "CIFAR10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "CIFAR100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}


def _cifar(
    which: str,
    split: str,
    root: str | Path | None,
    image_size: int | None,
    classes: int | Sequence[str] | None,
    images_per_class: int | None,
    foreground: str,
    seed: int,
    download: bool,
) -> LabelledImages:
    check_split(split)
    if root is None:
        raise ConfigError(f"{which.lower()} needs `root`: the folder that holds the unpacked files.")
    raw = from_torchvision(which, root, download, train=split == "train")
    chosen = choose_classes(raw.classes, classes)
    numbers: dict[str, list[str]] = {name: [] for name in chosen}
    for number, label in enumerate(raw.targets):
        if raw.classes[label] in numbers:
            numbers[raw.classes[label]].append(f"{split}/{number:05d}")
    size = image_size or 32
    mean, std = _STATISTICS[which]

    def read(identity: str) -> Reading:
        image = Image.fromarray(raw.data[int(identity.split("/")[1])])
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        return Reading(np.ascontiguousarray(pixels), None, image.size)

    return gather(
        name=which.lower(),
        split=split,
        candidates=list(numbers.values()),
        read=read,
        images_per_class=images_per_class,
        seed=seed,
        classes=chosen,
        foreground_kind=None,
        where=root,
        notes=["This set has no masks and no boxes: for concepts, set `foreground: central`."],
        mean=mean,
        std=std,
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
        },
    )

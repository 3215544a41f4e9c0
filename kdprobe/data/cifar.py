"""CIFAR-10 and CIFAR-100, read by torchvision; no foreground but the central square."""

import numpy as np
from PIL import Image

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped
from kdprobe.data.downloads import from_torchvision
from kdprobe.data.gather import Reading, gather
from kdprobe.data.images import LabelledImages


def cifar10(asked: Asked, *, download: bool = False) -> LabelledImages:
    """CIFAR-10: 32 x 32 photographs of 10 classes; `root` holds ``cifar-10-batches-py/``.

    There are no masks and no boxes: concepts can be counted only with ``foreground="central"``. Ids: split
    and number of the image in the files. `image_size` other than 32 resizes (bilinear). download: fetch the
    set (0.2 GB) if it is not there. Raises DataError if it is missing or damaged.
    """
    return _cifar("CIFAR10", asked, download)


def cifar100(asked: Asked, *, download: bool = False) -> LabelledImages:
    """CIFAR-100: as `cifar10`, with 100 classes; `root` holds ``cifar-100-python/``."""
    return _cifar("CIFAR100", asked, download)


#: mean and std per channel of the training images, as usual in the literature
_STATISTICS = {
    "CIFAR10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "CIFAR100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}


def _cifar(which: str, asked: Asked, download: bool) -> LabelledImages:
    root = asked.folder(which.lower(), "that holds the unpacked files")
    raw = from_torchvision(which, root, download, train=asked.split == "train")
    chosen = choose_classes(raw.classes, asked.classes)
    numbered = ((f"{asked.split}/{n:05d}", raw.classes[label]) for n, label in enumerate(raw.targets))
    size = asked.image_size or 32
    mean, std = _STATISTICS[which]

    def read(identity: str) -> Reading:
        image = Image.fromarray(raw.data[int(identity.split("/")[1])])
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        return Reading(np.ascontiguousarray(pixels), None, image.size)

    return gather(
        asked,
        name=which.lower(),
        root=root,
        size=size,
        candidates=grouped(chosen, numbered),
        listing=root,
        read=read,
        foreground_kind=None,
        notes=["This set has no masks and no boxes: for concepts, set `foreground: central`."],
        mean=mean,
        std=std,
    )

"""Oxford-IIIT Pet in its native layout, with the trimaps as foreground."""

from collections.abc import Sequence
from pathlib import Path

from kdprobe.data.choosing import Reading, check_split, choose_classes, gather
from kdprobe.data.downloads import from_torchvision
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import read_mask
from kdprobe.data.reading import find_root, need_folder, read_rgb, read_rows
from kdprobe.errors import ConfigError

FOREGROUND_VALUES = frozenset({1})  #: trimap: 1 pet, 2 background, 3 border (undecided)


def oxford_pet(
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
    """Oxford-IIIT Pet: photographs of 37 breeds of cats and dogs with trimaps.

    Layout below `root` (or below ``root/oxford-iiit-pet``, where torchvision puts it): ``images/<name>.jpg``,
    ``annotations/trimaps/<name>.png``, ``annotations/trainval.txt`` (split "train") and
    ``annotations/test.txt``; an image ``Abyssinian_100`` shows an Abyssinian, and this name is its id.
    Foreground is the trimap's 1 (pet); its border (3) is background, as the rest. `classes` takes
    "american_bulldog" or "american bulldog". Image and mask are resized to a square of
    `image_size` pixels (default 224).

    download: fetch the set with torchvision (0.8 GB) if it is not there.

    Raises DataError if a file or folder is missing, or if no image can be used.
    """
    check_split(split)
    if root is None:
        raise ConfigError("oxford_pet needs `root`: the folder that holds images/ and annotations/.")
    if download:
        from_torchvision("OxfordIIITPet", root, split="trainval", target_types="segmentation")
    root = find_root(root, "annotations", ("oxford-iiit-pet",), "the trimaps and splits of Oxford-IIIT Pet")
    images, masks = need_folder(root / "images", "the pets"), root / "annotations" / "trimaps"
    native = foreground == "native"
    if native:
        need_folder(masks, "the trimaps")
    listing = root / "annotations" / ("trainval.txt" if split == "train" else "test.txt")
    breed_of = {row[0]: row[0].rpartition("_")[0] for row in read_rows(listing, f"split {split!r}", 1)}
    spoken = {breed: (breed.replace("_", " "),) for breed in breed_of.values()}
    chosen = choose_classes(list(spoken), classes, spoken)
    size = image_size or 224

    def read(identity: str) -> Reading:
        pixels, stored = read_rgb(images / f"{identity}.jpg", size)
        mask = read_mask(masks / f"{identity}.png", stored, size, FOREGROUND_VALUES) if native else None
        return Reading(pixels, mask, stored)

    return gather(
        name="oxford_pet",
        split=split,
        candidates=[[i for i, breed in breed_of.items() if breed == name] for name in chosen],
        read=read,
        images_per_class=images_per_class,
        seed=seed,
        classes=[spoken[name][0] for name in chosen],
        foreground_kind="mask" if native else None,
        where=root,
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
        },
    )

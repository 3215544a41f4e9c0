"""Oxford-IIIT Pet in its native layout, with the trimaps as foreground."""

from pathlib import Path

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped
from kdprobe.data.downloads import from_torchvision
from kdprobe.data.gather import Reading, gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import read_mask
from kdprobe.data.reading import find_root, need_folder, read_rgb, read_rows
from kdprobe.errors import DataError

FOREGROUND_VALUES = frozenset({1})  #: trimap: 1 pet, 2 background, 3 border (undecided)


def oxford_pet(asked: Asked, *, download: bool = False) -> LabelledImages:
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
    root = asked.folder("oxford_pet", "that holds images/ and annotations/")
    if download:
        from_torchvision("OxfordIIITPet", root, split="trainval", target_types="segmentation")
    root = find_root(root, "annotations", ("oxford-iiit-pet",), "the trimaps and splits of Oxford-IIIT Pet")
    images, masks = need_folder(root / "images", "the pets"), root / "annotations" / "trimaps"
    if asked.native:
        need_folder(masks, "the trimaps")
    lists = {
        split: root / "annotations" / f"{file}.txt"
        for split, file in (("train", "trainval"), ("test", "test"))
    }
    listing = lists[asked.split]
    breed_of = _breeds(listing)
    # of both lists, so that a label means the same breed in both splits
    breeds = {
        b for path in lists.values() if path == listing or path.is_file() for b in _breeds(path).values()
    }
    if not breeds:
        raise DataError(f"{listing} names no image; get it anew.")
    spoken = {breed: (breed.replace("_", " "),) for breed in breeds}
    chosen = choose_classes(list(breeds), asked.classes, spoken)
    size = asked.image_size or 224

    def read(identity: str) -> Reading:
        pixels, stored = read_rgb(images / f"{identity}.jpg", size)
        mask = read_mask(masks / f"{identity}.png", stored, size, FOREGROUND_VALUES) if asked.native else None
        return Reading(pixels, mask, stored)

    return gather(
        asked,
        name="oxford_pet",
        root=root,
        size=size,
        candidates=grouped(chosen, breed_of.items()),
        listing=listing,
        read=read,
        foreground_kind="mask" if asked.native else None,
        classes=[spoken[name][0] for name in chosen],
    )


def _breeds(listing: Path) -> dict[str, str]:
    """Image -> breed, of the lines of a list; those that begin with # are passed over."""
    images = [row[0] for row in read_rows(listing, "list of pets", 1) if not row[0].startswith("#")]
    breed_of = {image: image.rpartition("_")[0] for image in images}
    for image, breed in breed_of.items():
        if not breed:
            raise DataError(
                f"{listing} names {image!r}, which is no image of a breed (breed_1); get the file anew."
            )
    return breed_of

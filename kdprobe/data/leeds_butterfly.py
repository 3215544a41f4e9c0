"""Leeds Butterfly Dataset in its native layout, with pixel masks."""

from collections.abc import Sequence
from pathlib import Path

from kdprobe.data.choosing import Reading, check_split, choose_classes, gather, hash_split
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import read_mask
from kdprobe.data.reading import image_files, need_folder, read_rgb
from kdprobe.errors import ConfigError
from kdprobe.paths import expanded

SPECIES = {
    "001": "Danaus plexippus",
    "002": "Heliconius charitonius",
    "003": "Heliconius erato",
    "004": "Junonia coenia",
    "005": "Lycaena phlaeas",
    "006": "Nymphalis antiopa",
    "007": "Papilio cresphontes",
    "008": "Pieris rapae",
    "009": "Vanessa atalanta",
    "010": "Vanessa cardui",
}
FOREGROUND_INDICES = frozenset({1, 3})  #: palette indices of the segmentations that mean butterfly


def leeds_butterfly(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    split_seed: int = 0,
) -> LabelledImages:
    """Leeds Butterfly Dataset (Wang et al., BMVC 2009): photographs of 10 species with pixel masks.

    Layout below `root`: ``images/SSSNNNN.png`` (SSS: species 001 ... 010) and
    ``segmentations/SSSNNNN_seg0.png``, palette images in which index 1 and 3 are foreground. Image and mask
    are resized to a square of `image_size` pixels (default 64). There is no official split: every fifth image
    of a species, in an order drawn from the file names by `split_seed`, is "test". `classes` takes species
    ids ("001") or names ("Danaus plexippus").

    Raises DataError if a folder is missing, or if no image can be used.
    """
    check_split(split)
    if root is None:
        raise ConfigError("leeds_butterfly needs `root`: the folder that holds images/ and segmentations/.")
    root = expanded(root)
    folder = need_folder(need_folder(root, "Leeds Butterfly Dataset") / "images", "butterfly images")
    native = foreground == "native"
    masks = need_folder(root / "segmentations", "butterfly masks") if native else root / "segmentations"
    size = image_size or 64
    paths = {p.stem: p for p in image_files(folder) if p.stem[:3] in SPECIES}
    present = sorted({stem[:3] for stem in paths})
    chosen = choose_classes(present, classes, {s: (SPECIES[s],) for s in present})

    def read(identity: str) -> Reading:
        pixels, stored = read_rgb(paths[identity], size)
        mask = read_mask(masks / f"{identity}_seg0.png", stored, size, FOREGROUND_INDICES) if native else None
        return Reading(pixels, mask, stored)

    by_class = [hash_split([s for s in paths if s[:3] == species], split, split_seed) for species in chosen]
    return gather(
        name="leeds_butterfly",
        split=split,
        candidates=by_class,
        read=read,
        images_per_class=images_per_class,
        seed=seed,
        classes=[SPECIES[s] for s in chosen],
        foreground_kind="mask" if native else None,
        where=root,
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
            "split_seed": split_seed,
        },
    )

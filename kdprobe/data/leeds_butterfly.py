"""Leeds Butterfly Dataset in its native layout, with pixel masks."""

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped, hash_split
from kdprobe.data.gather import Reading, gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import read_mask
from kdprobe.data.reading import image_files, need_folder, read_rgb
from kdprobe.errors import DataError

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


def leeds_butterfly(asked: Asked, *, split_seed: int = 0) -> LabelledImages:
    """Leeds Butterfly Dataset (Wang et al., BMVC 2009): photographs of 10 species with pixel masks.

    Layout below `root`: ``images/SSSNNNN.png`` (SSS: species 001 ... 010) and
    ``segmentations/SSSNNNN_seg0.png``, palette images in which index 1 and 3 are foreground. Image and mask
    are resized to a square of `image_size` pixels (default 64). There is no official split: every fifth image
    of a species, in an order drawn from the file names by `split_seed`, is "test". `classes` takes species
    ids ("001") or names ("Danaus plexippus").

    Raises DataError if a folder is missing, or if no image can be used.
    """
    root = asked.folder("leeds_butterfly", "that holds images/ and segmentations/")
    folder = need_folder(need_folder(root, "Leeds Butterfly Dataset") / "images", "butterfly images")
    masks = root / "segmentations"
    if asked.native:
        need_folder(masks, "butterfly masks")
    size = asked.image_size or 64
    paths = {p.stem: p for p in image_files(folder) if p.stem[:3] in SPECIES}
    present = sorted({stem[:3] for stem in paths})
    if not present:
        raise DataError(
            f"{folder} holds no image of a species (SSSNNNN.png); check `root` and what lies in it."
        )
    chosen = choose_classes(present, asked.classes, {s: (SPECIES[s],) for s in present})
    by_species = grouped(chosen, ((stem, stem[:3]) for stem in paths))

    def read(identity: str) -> Reading:
        pixels, stored = read_rgb(paths[identity], size)
        mask = None
        if asked.native:
            mask = read_mask(masks / f"{identity}_seg0.png", stored, size, FOREGROUND_INDICES)
        return Reading(pixels, mask, stored)

    return gather(
        asked,
        name="leeds_butterfly",
        root=root,
        size=size,
        candidates={s: hash_split(ids, asked.split, split_seed) for s, ids in by_species.items()},
        listing=folder,
        read=read,
        foreground_kind="mask" if asked.native else None,
        classes=[SPECIES[s] for s in chosen],
        split_seed=split_seed,
    )

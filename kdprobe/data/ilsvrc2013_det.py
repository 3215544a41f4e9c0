"""ILSVRC-2013 DET in its native layout: one object in each crop, boxes as foreground."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kdprobe.data.choosing import check_split, choose_classes, gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.object_crops import CropSettings, boxes_as_foreground, cuts, read_cut
from kdprobe.data.object_files import listed_images
from kdprobe.data.reading import find_root, need_file, need_folder
from kdprobe.errors import ConfigError, DataError
from kdprobe.paths import expanded


def ilsvrc2013_det(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    class_list: str | None = None,
    crop: float | None = 1.5,
    objects: str = "all",
    least_side: int = 1,
) -> LabelledImages:
    """ILSVRC-2013 DET (ImageNet detection): photographs with boxes; every object becomes an image of its own.

    Layout below `root` (the folder ILSVRC, or one that holds it): ``Data/DET/{train,val}/**/*.JPEG``,
    ``Annotations/DET/{train,val}/**/*.xml`` and ``ImageSets/DET/{train,val}.txt``; split "test" is val. Boxes
    count pixels from 0. Of training images in class folders (``ILSVRC2013_train/<wnid>/``) only the folders
    of the chosen classes are read. Ids: ``<split>/<image>/<number of the object in its XML file>``.

    class_list: a text file (absolute, or below `root`) with the classes, in lines ``wnid word, other word``;
        default ``classes.txt`` in `root` if it is there, else the class folders of the training images,
        without words. `classes` chooses from it, by wnid or by word. The 12 mammals of the released code are
        not known here: list your own.
    crop, objects, least_side: see `CropSettings`; 1.5 times the box, as in arXiv 2003.03622, so that a box
        far from the border fills the central 2/3 of each side. What the paper does at the border of an image
        is not known; here the crop ends there.

    Foreground are the boxes of all objects of the class in the crop; ``foreground="central"`` takes the
    square that the released code takes for every image. Images are resized to a square of `image_size` pixels
    (default 224). Raises DataError if a file or folder is missing, or if no image can be used.
    """
    check_split(split)
    settings = CropSettings(crop, objects, least_side)
    if root is None:
        raise ConfigError(
            "ilsvrc2013_det needs `root`: the folder ILSVRC, which holds Data/DET and Annotations/DET."
        )
    root = find_root(root, "Data/DET", ("ILSVRC",), "the images of ILSVRC DET")
    listing = _class_list(root, class_list)
    words = _words(listing) if listing is not None else dict.fromkeys(_class_folders(root), ())
    chosen = choose_classes(
        list(words), classes, {w: (*names, ", ".join(names)) for w, names in words.items()}
    )
    part = "train" if split == "train" else "val"
    found, left_out = cuts(_images(root, part, set(chosen)), chosen, settings, first_pixel=0)
    size = image_size or 224
    native = foreground == "native"
    fill = boxes_as_foreground(size) if native else None
    return gather(
        name="ilsvrc2013_det",
        split=split,
        candidates=[[i for i, cut in found.items() if cut.name == wnid] for wnid in chosen],
        read=lambda identity: read_cut(found[identity], size, settings.crop, fill),
        images_per_class=images_per_class,
        seed=seed,
        classes=_labels(chosen, words),
        foreground_kind="box" if native else None,
        where=root,
        left_out=left_out,
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
            "class_list": None if listing is None else str(listing),
            "crop": settings.crop,
            "objects": objects,
            "least_side": least_side,
        },
    )


def _class_list(root: Path, class_list: str | None) -> Path | None:
    if class_list is not None:
        return need_file(root / expanded(class_list), "the option `class_list`")
    return root / "classes.txt" if (root / "classes.txt").is_file() else None


def _words(listing: Path) -> dict[str, tuple[str, ...]]:
    """wnid -> words; a number between them, as in the official map_det.txt, is passed over."""
    words = {}
    for line in listing.read_text(encoding="utf-8").splitlines():
        wnid, _, rest = line.strip().partition(" ")
        if wnid and not wnid.startswith("#"):
            names = [word.strip() for word in rest.lstrip("0123456789 ").split(",")]
            words[wnid] = tuple(word for word in names if word)
    if not words:
        raise DataError(f"{listing} names no class; write a line `wnid word, other word` for each.")
    return words


def _class_folders(root: Path) -> list[str]:
    train = need_folder(root / "Annotations" / "DET" / "train", "objects of the training images")
    names = sorted({p.name for p in train.glob("*/n*") if p.is_dir()})
    if not names:
        raise DataError(f"{train} holds no class folder n...; name the classes with the option `class_list`.")
    return names


def _images(root: Path, part: str, chosen: set[str]) -> Iterator[tuple[str, Path, Path]]:
    data = need_folder(root / "Data" / "DET" / part, f"images of {part}")
    objects = need_folder(root / "Annotations" / "DET" / part, f"objects of {part}")
    for name in listed_images(root / "ImageSets" / "DET" / f"{part}.txt", f"images of {part}"):
        folder = Path(name).parent.name
        if folder.startswith("n") and folder not in chosen:
            continue
        yield f"{part}/{name}", data / f"{name}.JPEG", objects / f"{name}.xml"


def _labels(chosen: list[str], words: dict[str, tuple[str, ...]]) -> list[str]:
    """The first word of each class; the wnid is added where two classes share that word."""
    short = [words[w][0] if words[w] else w for w in chosen]
    return [s if short.count(s) == 1 else f"{s} ({w})" for s, w in zip(short, chosen, strict=True)]

"""Anyone's own images: a folder of class folders, with masks or a boxes file beside it."""

from collections.abc import Sequence
from pathlib import Path

from kdprobe.data.boxes import read_boxes
from kdprobe.data.choosing import Reading, check_split, choose_classes, gather, hash_split
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import box_mask, read_mask
from kdprobe.data.reading import image_files, need_file, need_folder, read_rgb
from kdprobe.errors import ConfigError, DataError
from kdprobe.paths import expanded

_BESIDE = (
    "masks",
    "train",
    "test",
    "val",
)  #: folders in ROOT that are no classes where class folders lie in ROOT itself


def image_folder(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    split_seed: int = 0,
    masks: str | None = None,
    boxes: str | None = None,
) -> LabelledImages:
    """Images in class folders::

        ROOT/images/<class>/<file>      PNG, JPEG, ...; the class folders may also lie in ROOT itself
        ROOT/masks/<class>/<stem>.png   mask of <file>, same size; above 0 (grey: above 127) is foreground
        ROOT/boxes.csv or boxes.txt     instead of masks: lines  path,x0,y0,x1,y1  (or separated by blanks)

    In the boxes file, path is ``<class>/<file>`` and the numbers are pixels of the stored image, inclusive,
    from 0; the foreground is the union of an image's boxes. With masks the boxes are not read; without either
    the set loads without foreground. Images and masks are resized to a square of `image_size` pixels (default
    64); grey images become RGB.

    If ROOT/train exists, ROOT/train and ROOT/test (or ROOT/val) are the splits and each has the layout above;
    else every fifth image of a class, in an order drawn from the file names by `split_seed`, is "test".
    Options `masks` and `boxes` name a masks folder or a boxes file elsewhere (absolute, or relative to ROOT,
    with split folders to ROOT/train and ROOT/test).

    A single image that is unreadable, has no mask or box, or a mask without background is left out
    (`left_out`). Raises DataError if a folder is missing, or if no image can be used.
    """
    check_split(split)
    if root is None:
        raise ConfigError("image_folder needs `root`: the folder that holds images/<class>/<file>.")
    root = need_folder(expanded(root), "your images")
    parts = {"train": root / "train", "test": root / "test" if (root / "test").is_dir() else root / "val"}
    given = parts["train"].is_dir()
    base = need_folder(parts[split], f"split {split!r}, since ROOT/train exists") if given else root
    folder = _class_parent(base)
    known = _class_names(_class_parent(parts["train"]) if given else folder)
    stray = sorted(set(_class_names(folder)) - set(known))
    if stray:
        raise DataError(
            f"{folder} has the class folder {stray[0]!r}, which {parts['train']} lacks; both need the same."
        )
    chosen = choose_classes(known, classes)
    paths = {f"{c}/{p.name}": p for c in chosen if (folder / c).is_dir() for p in image_files(folder / c)}
    by_class = [[i for i in paths if i.split("/")[0] == c] for c in chosen]
    if not given:
        by_class = [hash_split(ids, split, split_seed) for ids in by_class]
    mask_folder, box_file = _annotation(base, masks, boxes) if foreground == "native" else (None, None)
    listed, unreadable = read_boxes(box_file) if box_file else ({}, {})
    size = image_size or 64

    def read(identity: str) -> Reading:
        path = paths[identity]
        pixels, stored = read_rgb(path, size)
        if mask_folder:
            mask = read_mask(mask_folder / path.parent.name / f"{path.stem}.png", stored, size)
            return Reading(pixels, mask, stored)
        if not box_file:
            return Reading(pixels, None, stored)
        if identity in unreadable:
            raise DataError(
                f"{box_file}, line {unreadable[identity]}: no box can be read for {path}; mend the line."
            )
        if identity not in listed:
            raise DataError(f"No box for {path} in {box_file}; add the line {identity},x0,y0,x1,y1.")
        return Reading(pixels, box_mask(listed[identity], stored, size, path), stored)

    return gather(
        name="image_folder",
        split=split,
        candidates=by_class,
        read=read,
        images_per_class=images_per_class,
        seed=seed,
        classes=chosen,
        foreground_kind="mask" if mask_folder else "box" if box_file else None,
        where=folder,
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
            "split_seed": split_seed,
            "masks": str(mask_folder) if mask_folder else None,
            "boxes": str(box_file) if box_file else None,
        },
    )


def _class_parent(base: Path) -> Path:
    return base / "images" if (base / "images").is_dir() else base


def _class_names(folder: Path) -> list[str]:
    beside = () if folder.name == "images" else _BESIDE
    names = sorted(
        p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".") and p.name not in beside
    )
    if not names:
        raise DataError(f"{folder} holds no class folder; put the images into {folder}/<class>/<file>.")
    return names


def _annotation(base: Path, masks: str | None, boxes: str | None) -> tuple[Path | None, Path | None]:
    if masks is not None:
        return need_folder(base / expanded(masks), "the option `masks`"), None
    if boxes is not None:
        return None, need_file(base / expanded(boxes), "the option `boxes`")
    if (base / "masks").is_dir():
        return base / "masks", None
    for name in ("boxes.csv", "boxes.txt"):
        if (base / name).is_file():
            return None, base / name
    return None, None

"""Anyone's own images: a folder of class folders, with masks or a boxes file beside it."""

from collections.abc import Iterable
from pathlib import Path

from kdprobe.data.asked import Asked
from kdprobe.data.boxes import read_boxes
from kdprobe.data.choosing import choose_classes, grouped, hash_split
from kdprobe.data.gather import Reading, gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import box_mask, read_mask
from kdprobe.data.reading import image_files, is_turned, need_file, need_folder, one_form, read_rgb
from kdprobe.errors import DataError
from kdprobe.paths import expanded

#: folders in ROOT that are no classes where class folders lie in ROOT itself
_BESIDE = ("masks", "train", "test", "val")


def image_folder(
    asked: Asked, *, split_seed: int = 0, masks: str | None = None, boxes: str | None = None
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
    split = asked.split
    root = need_folder(asked.folder("image_folder", "that holds images/<class>/<file>"), "your images")
    parts = {"train": root / "train", "test": root / "test" if (root / "test").is_dir() else root / "val"}
    given = parts["train"].is_dir()
    base = need_folder(parts[split], f"split {split!r}, since ROOT/train exists") if given else root
    folder = _class_parent(base)
    classes = _class_folders(folder)
    known = _class_folders(_class_parent(parts["train"])) if given else classes
    stray = sorted(set(classes) - set(known))
    if stray:
        raise DataError(
            f"{folder} has the class folder {stray[0]!r}, which {parts['train']} lacks; both need the same."
        )
    chosen = choose_classes(list(known), asked.classes)
    paths = {f"{c}/{one_form(p.name)}": p for c in chosen if c in classes for p in image_files(classes[c])}
    by_class = grouped(chosen, ((i, i.split("/")[0]) for i in paths))
    if not given:
        by_class = {c: hash_split(ids, split, split_seed) for c, ids in by_class.items()}
    mask_folder, box_file = _annotation(base, masks, boxes) if asked.native else (None, None)
    listed, unreadable = read_boxes(box_file) if box_file else ({}, {})
    size = asked.image_size or 64

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

    data = gather(
        asked,
        name="image_folder",
        root=root,
        size=size,
        candidates=by_class,
        listing=folder,
        read=read,
        foreground_kind="mask" if mask_folder else "box" if box_file else None,
        split_seed=split_seed,
        masks=str(mask_folder) if mask_folder else None,
        boxes=str(box_file) if box_file else None,
    )
    return data.replaced(notes=_turns(paths[i] for i in data.ids))


def _turns(paths: Iterable[Path]) -> list[str]:
    count = sum(is_turned(path) for path in paths)
    if not count:
        return []
    return [
        f"A turn noted by the camera (EXIF) is not applied, in {count} image{'' if count == 1 else 's'}: "
        "masks and boxes must refer to the pixels as they are stored."
    ]


def _class_parent(base: Path) -> Path:
    return base / "images" if (base / "images").is_dir() else base


def _class_folders(folder: Path) -> dict[str, Path]:
    """Class -> its folder."""
    beside = () if folder.name == "images" else _BESIDE
    found = [
        p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".") and p.name not in beside
    ]
    if not found:
        raise DataError(f"{folder} holds no class folder; put the images into {folder}/<class>/<file>.")
    return {one_form(p.name): p for p in sorted(found)}


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

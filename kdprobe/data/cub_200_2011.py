"""CUB-200-2011 in its native layout, with masks where they are present and boxes otherwise."""

from collections.abc import Sequence
from pathlib import Path

from kdprobe.data.choosing import Reading, check_split, choose_classes, gather
from kdprobe.data.crops import Box, check_box, check_crop, crop_window
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import box_mask, check_mask_rule, fit_mask, mask_values
from kdprobe.data.reading import find_root, need_folder, read_rgb, read_rows, stored_size
from kdprobe.data.sources import check_annotation
from kdprobe.errors import ConfigError, DataError

_HALF = 127  #: the masks count annotators in steps of 51; above this, more than half of them said bird


def cub_200_2011(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    annotation: str = "auto",
    crop: float | None = None,
    mask_rule: str = "majority",
) -> LabelledImages:
    """Caltech-UCSD Birds-200-2011: photographs of 200 species with official split, boxes and masks.

    Layout below `root` (the folder CUB_200_2011, or the one that holds it): ``images/<class>/*.jpg`` and the
    tables ``images.txt``, ``classes.txt``, ``image_class_labels.txt``, ``train_test_split.txt`` and
    ``bounding_boxes.txt`` (id, x, y, width, height; x and y count from 0). The masks are a download of their
    own: ``segmentations/<class>/*.png`` in `root` or beside it. An image's id is its path in images.txt.

    annotation: "auto" (masks if segmentations/ is there, else boxes), "masks" or "boxes".
    crop: None for whole images; a number cuts out that many times the box (1.0: the box itself), clipped to
        the image. The box at crop 1.0 leaves no background: use masks.
    mask_rule: of masks: "majority" (above half of the annotators, more than half of the pixel's area) or
        "released" (any value above 0 after bilinear resizing, as in the code released with arXiv 2003.03622).

    `classes` takes "001.Black_footed_Albatross" or "Black footed Albatross". Image and mask are resized to a
    square of `image_size` pixels (default 224). Raises DataError if a file or folder is missing, or if no
    image can be used.
    """
    check_split(split)
    factor, native = check_crop(crop), foreground == "native"
    check_mask_rule(mask_rule)
    if root is None:
        raise ConfigError("cub_200_2011 needs `root`: the folder CUB_200_2011, which holds images.txt.")
    root = find_root(root, "images.txt", ("CUB_200_2011",), "CUB-200-2011")
    need_folder(root / "images", "the birds")
    masks = _masks(root)
    kind = check_annotation(annotation, masks, f"{root} and beside it", "segmentations/") if native else None
    paths = _table(root, "images.txt", "names of the images")
    names = _table(root, "classes.txt", "names of the classes")
    label_of = _table(root, "image_class_labels.txt", "class of each image")
    in_train = _table(root, "train_test_split.txt", "official split")
    boxes = _boxes(root) if kind == "boxes" or factor is not None else {}
    spoken = {name: (name.split(".", 1)[-1].replace("_", " "),) for name in names.values()}
    chosen = choose_classes(list(names.values()), classes, spoken)
    by_class: dict[str, list[str]] = {name: [] for name in chosen}
    id_of = {}
    for number, path in paths.items():
        for table, what in ((label_of, "image_class_labels.txt"), (in_train, "train_test_split.txt")):
            if number not in table:
                raise DataError(f"{root / what} has no line for image {number} ({path}); get the file anew.")
        name = names.get(label_of[number])
        if name in by_class and (in_train[number] == "1") == (split == "train"):
            by_class[name].append(path)
            id_of[path] = number
    size = image_size or 224

    def read(identity: str) -> Reading:
        path, box, window = root / "images" / identity, boxes.get(id_of[identity]), None
        if box is None and (kind == "boxes" or factor is not None):
            raise DataError(f"No box for {path} in {root / 'bounding_boxes.txt'}; add its line.")
        stored = stored_size(path)
        if factor is not None:
            window = crop_window(check_box(box, stored, path), factor, stored)
        pixels, _ = read_rgb(path, size, window)
        mask = None
        if kind == "boxes":
            mask = box_mask([box], stored, size, path, window)
        elif kind == "masks":
            file = (masks / identity).with_suffix(".png")
            values = mask_values(file, stored)
            mask = fit_mask(
                values if mask_rule == "released" else values > _HALF, size, file, window, mask_rule
            )
        return Reading(
            pixels, mask, stored if window is None else (window[2] - window[0], window[3] - window[1])
        )

    no_masks = kind == "boxes" and annotation == "auto"
    return gather(
        name="cub_200_2011",
        split=split,
        candidates=list(by_class.values()),
        read=read,
        images_per_class=images_per_class,
        seed=seed,
        classes=[spoken[name][0] for name in chosen],
        foreground_kind={"masks": "mask", "boxes": "box"}.get(kind),
        where=root,
        notes=["No folder segmentations/ in the root or beside it: the boxes are the foreground."]
        if no_masks
        else (),
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
            "annotation": kind,
            "crop": factor,
            "mask_rule": mask_rule,
        },
    )


def _masks(root: Path) -> Path | None:
    return next((p for p in (root / "segmentations", root.parent / "segmentations") if p.is_dir()), None)


def _table(root: Path, file: str, what: str) -> dict[str, str]:
    """id -> second entry of each line."""
    return {row[0]: row[1] for row in read_rows(root / file, what, 2)}


def _boxes(root: Path) -> dict[str, Box]:
    boxes = {}
    for number, *cells in read_rows(root / "bounding_boxes.txt", "boxes", 5):
        try:
            x, y, width, height = (float(c) for c in cells[:4])
        except ValueError:
            continue  # its image is left out: it has no box
        boxes[number] = (x, y, x + width - 1, y + height - 1)
    return boxes

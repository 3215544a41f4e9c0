"""CUB-200-2011 in its native layout, with masks where they are present and boxes otherwise."""

from pathlib import Path

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped
from kdprobe.data.crops import Box, check_box, check_crop, crop_window, window_size
from kdprobe.data.gather import Reading, gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import box_mask, check_mask_rule, fit_mask, mask_values
from kdprobe.data.reading import find_root, need_folder, read_rgb, read_rows, stored_size
from kdprobe.data.sources import KIND_OF, check_annotation
from kdprobe.errors import DataError

_HALF = 127  #: the masks count annotators in steps of 51; above this, more than half of them said bird


def cub_200_2011(
    asked: Asked, *, annotation: str = "auto", crop: float | None = None, mask_rule: str = "majority"
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
    factor = check_crop(crop)
    check_mask_rule(mask_rule)
    root = asked.folder("cub_200_2011", "CUB_200_2011, which holds images.txt")
    root = find_root(root, "images.txt", ("CUB_200_2011",), "CUB-200-2011")
    need_folder(root / "images", "the birds")
    masks = next((p for p in (root / "segmentations", root.parent / "segmentations") if p.is_dir()), None)
    kind = (
        check_annotation(annotation, masks, f"{root} and beside it", "segmentations/")
        if asked.native
        else None
    )
    boxes = _boxes(root) if kind == "boxes" or factor is not None else {}
    names, images = _tables(root, asked.split)
    spoken = {name: (name.split(".", 1)[-1].replace("_", " "),) for name in names}
    chosen = choose_classes(names, asked.classes, spoken)
    number_of = {path: number for number, path, _ in images}
    size = asked.image_size or 224

    def read(identity: str) -> Reading:
        path, box, window = root / "images" / identity, boxes.get(number_of[identity]), None
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
        return Reading(pixels, mask, window_size(window, stored))

    no_masks = "No folder segmentations/ in the root or beside it: the boxes are the foreground."
    return gather(
        asked,
        name="cub_200_2011",
        root=root,
        size=size,
        candidates=grouped(chosen, ((path, name) for _, path, name in images)),
        listing=root / "images.txt",
        read=read,
        foreground_kind=KIND_OF.get(kind),
        classes=[spoken[name][0] for name in chosen],
        notes=[no_masks] if kind == "boxes" and annotation == "auto" else (),
        annotation=kind,
        crop=factor,
        mask_rule=mask_rule,
    )


def _tables(root: Path, split: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """(all classes, (number, path, class) of the images of `split`) from the tables, which must fit each other."""
    paths = _table(root, "images.txt", "names of the images")
    names = _table(root, "classes.txt", "names of the classes")
    label_of = _table(root, "image_class_labels.txt", "class of each image")
    in_train = _table(root, "train_test_split.txt", "official split")
    images = []
    for number, path in paths.items():
        for table, file in ((label_of, "image_class_labels.txt"), (in_train, "train_test_split.txt")):
            if number not in table:
                raise DataError(f"{root / file} has no line for image {number} ({path}); get the file anew.")
        if in_train[number] not in ("0", "1"):
            raise DataError(
                f"{root / 'train_test_split.txt'} says {in_train[number]!r} of image {number} ({path}), not 0 or 1; "
                "get the file anew."
            )
        if label_of[number] not in names:
            raise DataError(
                f"{root / 'classes.txt'} has no line for class {label_of[number]} (of image {number}, {path}); "
                "get the file anew."
            )
        if (in_train[number] == "1") == (split == "train"):
            images.append((number, path, names[label_of[number]]))
    return list(names.values()), images


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

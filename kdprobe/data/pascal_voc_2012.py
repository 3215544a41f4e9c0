"""Pascal VOC 2012 in its native layout: one object in each crop, class masks or boxes as foreground."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdprobe.data.choosing import check_split, choose_classes, gather
from kdprobe.data.crops import Window
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import check_mask_rule, fit_mask, mask_values
from kdprobe.data.object_crops import CropSettings, Cut, Foreground, boxes_as_foreground, cuts, read_cut
from kdprobe.data.object_files import listed_images
from kdprobe.data.reading import find_root
from kdprobe.data.sources import check_annotation
from kdprobe.errors import ConfigError, DataError

#: in the order of the palette: the first has index 1
CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
BORDER = 255  #: palette index of the seam around objects, and of objects that were not segmented


def pascal_voc_2012(
    *,
    split: str = "train",
    root: str | Path | None = None,
    image_size: int | None = None,
    classes: int | Sequence[str] | None = None,
    images_per_class: int | None = None,
    foreground: str = "native",
    seed: int = 0,
    annotation: str = "auto",
    crop: float | None = 1.2,
    objects: str = "all",
    least_side: int = 1,
    difficult: bool = False,
    mask_rule: str = "majority",
) -> LabelledImages:
    """Pascal VOC 2012: photographs with objects of 20 classes; every object becomes an image of its own.

    Layout below `root` (the folder VOC2012, or one that holds VOCdevkit/VOC2012): ``JPEGImages/*.jpg``,
    ``Annotations/*.xml``, ``ImageSets/Main`` and, for masks, ``SegmentationClass/*.png`` and
    ``ImageSets/Segmentation``. Split "train" is train.txt and "test" is val.txt, of Segmentation with masks
    and of Main otherwise. Ids: ``<image>/<number of the object in its XML file>``.

    annotation: "auto" (masks if SegmentationClass/ is there, else boxes), "masks" or "boxes".
    crop, objects, least_side, difficult: see `CropSettings`; 1.2 times the box, as in arXiv 2003.03622. What
        the paper does at the border of an image is not known; here the crop ends there.
    mask_rule: "majority": foreground are the pixels of the object's class, of neighbours too; the border
    label
        (index 255) is background. "released" (the code released with the paper): the border label counts as
        well, and after bilinear resizing so does every value above 0.

    With boxes, foreground are the boxes of all objects of the class in the crop. Image and mask are resized
    to a square of `image_size` pixels (default 224). Raises DataError if a file or folder is missing, or if
    no image can be used.
    """
    check_split(split)
    check_mask_rule(mask_rule)
    settings = CropSettings(crop, objects, least_side, difficult)
    if root is None:
        raise ConfigError("pascal_voc_2012 needs `root`: the folder VOC2012, which holds JPEGImages/.")
    inner = ("VOCdevkit/VOC2012", "VOC2012")
    root = find_root(root, "JPEGImages", inner, "the images of Pascal VOC 2012")
    masks = root / "SegmentationClass"
    there = masks if masks.is_dir() else None
    kind = (
        check_annotation(annotation, there, str(root), "SegmentationClass/")
        if foreground == "native"
        else None
    )
    chosen = choose_classes(CLASSES, classes)
    task = "Segmentation" if kind == "masks" else "Main"
    listing = root / "ImageSets" / task / ("train.txt" if split == "train" else "val.txt")
    images = [
        (stem, root / "JPEGImages" / f"{stem}.jpg", root / "Annotations" / f"{stem}.xml")
        for stem in listed_images(listing, f"images of split {split!r}")
    ]
    found, left_out = cuts(images, chosen, settings, first_pixel=1)
    size = image_size or 224
    fill = {"masks": _class_masks(masks, size, mask_rule), "boxes": boxes_as_foreground(size)}.get(kind)
    no_masks = kind == "boxes" and annotation == "auto"
    return gather(
        name="pascal_voc_2012",
        split=split,
        candidates=[[i for i, cut in found.items() if cut.name == name] for name in chosen],
        read=lambda identity: read_cut(found[identity], size, settings.crop, fill),
        images_per_class=images_per_class,
        seed=seed,
        classes=chosen,
        foreground_kind={"masks": "mask", "boxes": "box"}.get(kind),
        where=root,
        left_out=left_out,
        notes=["No folder SegmentationClass/: the boxes are the foreground."] if no_masks else (),
        options={
            "root": str(root),
            "image_size": size,
            "classes": chosen,
            "images_per_class": images_per_class,
            "foreground": foreground,
            "seed": seed,
            "annotation": kind,
            "crop": settings.crop,
            "objects": objects,
            "least_side": least_side,
            "difficult": difficult,
            "mask_rule": mask_rule,
        },
    )


def _class_masks(folder: Path, size: int, rule: str) -> Foreground:
    def mask(cut: Cut, stored: tuple[int, int], window: Window | None) -> np.ndarray:
        file = folder / f"{cut.image.stem}.png"
        values = mask_values(file, stored, indices=True)
        strange = values[(values > len(CLASSES)) & (values != BORDER)]
        if strange.size:
            raise DataError(
                f"The mask {file} holds the value {strange[0]}, which is no class of Pascal VOC (0 ... "
                f"{len(CLASSES)}, {BORDER}): the palette indices are lost; get the file anew."
            )
        inside = values == CLASSES.index(cut.name) + 1
        if not inside.any():
            raise DataError(f"The mask {file} holds no pixel of the class {cut.name}; leave the object out.")
        if rule == "released":
            return fit_mask(
                np.where(inside | (values == BORDER), 255, 0).astype(np.uint8), size, file, window, rule
            )
        return fit_mask(inside, size, file, window)

    return mask

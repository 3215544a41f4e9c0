"""Pascal VOC 2012 in its native layout: one object in each crop, class masks or boxes as foreground."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes, grouped
from kdprobe.data.crops import Window
from kdprobe.data.gather import gather
from kdprobe.data.images import LabelledImages
from kdprobe.data.masks import check_mask_rule, fit_mask, mask_values
from kdprobe.data.object_crops import CropSettings, Cut, Foreground, boxes_as_foreground, cuts, read_cut
from kdprobe.data.object_files import listed_images
from kdprobe.data.reading import find_root
from kdprobe.data.sources import KIND_OF, check_annotation
from kdprobe.errors import DataError

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
    asked: Asked,
    *,
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
    crop: that many times the object's box is cut out, 1.2 as in arXiv 2003.03622. What the paper does at the
        border of a photograph is not known; here the crop ends there. None: whole photographs, left out if
        they hold objects of several of the chosen classes.
    objects: "all" (an image for each object) or "largest" (one for each photograph).
    least_side: objects whose box is narrower or lower, in pixels, are left out.
    difficult: whether objects marked as difficult become images.
    mask_rule: "majority": foreground are the pixels of the object's class, of neighbours too; the border label
        (index 255) is background. "released" (the code released with the paper): the border label counts as
        well, and after bilinear resizing so does every value above 0.

    With boxes, foreground are the boxes of all objects of the class in the crop. Image and mask are resized
    to a square of `image_size` pixels (default 224). Raises DataError if a file or folder is missing, or if
    no image can be used.
    """
    check_mask_rule(mask_rule)
    settings = CropSettings(crop, objects, least_side, difficult)
    root = asked.folder("pascal_voc_2012", "VOC2012, which holds JPEGImages/")
    inner = ("VOCdevkit/VOC2012", "VOC2012")
    root = find_root(root, "JPEGImages", inner, "the images of Pascal VOC 2012")
    masks = root / "SegmentationClass"
    there = masks if masks.is_dir() else None
    kind = check_annotation(annotation, there, str(root), "SegmentationClass/") if asked.native else None
    chosen = choose_classes(CLASSES, asked.classes)
    task = "Segmentation" if kind == "masks" else "Main"
    listing = root / "ImageSets" / task / ("train.txt" if asked.split == "train" else "val.txt")
    images = [
        (stem, root / "JPEGImages" / f"{stem}.jpg", root / "Annotations" / f"{stem}.xml")
        for stem in listed_images(listing, f"images of split {asked.split!r}")
    ]
    found, left_out = cuts(images, chosen, settings, first_pixel=1)
    size = asked.image_size or 224
    fill = {"masks": _class_masks(masks, size, mask_rule), "boxes": boxes_as_foreground(size)}.get(kind)
    no_masks = "No folder SegmentationClass/: the boxes are the foreground."
    return gather(
        asked,
        name="pascal_voc_2012",
        root=root,
        size=size,
        candidates=grouped(chosen, ((i, cut.name) for i, cut in found.items())),
        listing=listing,
        read=lambda identity: read_cut(found[identity], size, settings.crop, fill),
        foreground_kind=KIND_OF.get(kind),
        left_out=left_out,
        notes=[no_masks] if kind == "boxes" and annotation == "auto" else (),
        annotation=kind,
        mask_rule=mask_rule,
        **asdict(settings),
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

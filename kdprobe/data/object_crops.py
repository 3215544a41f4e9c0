"""From images that hold several objects to samples: one object in each crop, or whole images of one class."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdprobe.data.choosing import check_count, nearest
from kdprobe.data.crops import Box, Window, check_box, check_crop, crop_window, meets, window_size
from kdprobe.data.gather import Reading
from kdprobe.data.masks import box_mask
from kdprobe.data.object_files import AnnotatedObject, check_same_size, read_objects, same_class
from kdprobe.data.reading import read_rgb, stored_size
from kdprobe.errors import ConfigError, DataError

OBJECTS = ("all", "largest")


@dataclass(frozen=True)
class CropSettings:
    """How samples are cut out.

    Args:
        crop: that many times the object's box, clipped to the image; None: whole images, left out if they
            hold objects of several of the chosen classes.
        objects: all (a sample for each object) or largest (one for each image).
        least_side: objects whose box is narrower or lower, in pixels, are left out.
        difficult: whether objects marked as difficult become samples.
    """

    crop: float | None
    objects: str = "all"
    least_side: int = 1
    difficult: bool = True

    def __post_init__(self) -> None:
        check_crop(self.crop)
        if self.objects not in OBJECTS:
            raise ConfigError(
                f"objects must be 'all' or 'largest', got {self.objects!r}.{nearest(self.objects, OBJECTS)}"
            )
        check_count(self.least_side, "least_side")
        if not isinstance(self.difficult, bool):
            raise ConfigError(f"difficult must be true or false, got {self.difficult!r}.")


@dataclass(frozen=True)
class Cut:
    """One sample: an image, what is cut out of it, and where objects of its class lie."""

    image: Path
    name: str  #: class
    box: Box | None  #: of the object to cut out; None: the whole image
    boxes: tuple[Box, ...]  #: of all objects of the class in the image, in pixels of the stored image
    annotated: tuple[int, int] | None  #: (width, height) of the image on which the boxes were drawn


#: from a cut, the stored (width, height) and the window (None: the whole image) to (size, size) bool
Foreground = Callable[[Cut, tuple[int, int], Window | None], np.ndarray]


def cuts(
    images: Iterable[tuple[str, Path, Path]],
    names: Sequence[str],
    settings: CropSettings,
    first_pixel: int,
) -> tuple[dict[str, Cut], list[tuple[str, str]]]:
    """(sample id -> `Cut`, (id, reason) of what cannot be used) of the objects of the classes `names`.

    `images`: (id, image file, XML file). A sample's id is ``<image id>/<number of the object in the file>``,
    or the image's id for whole images.
    """
    found: dict[str, Cut] = {}
    left_out: list[tuple[str, str]] = []
    for identity, image, file in images:
        try:
            objects, annotated = read_objects(file, first_pixel)
        except DataError as error:
            left_out.append((identity, str(error)))
            continue
        wanted = [o for o in objects if o.name in names and (settings.difficult or not o.difficult)]
        small = [o for o in wanted if 0 < min(_sides(o.box)) < settings.least_side]
        wanted = [o for o in wanted if o not in small]
        for o in small:
            width, height = _sides(o.box)
            left_out.append(
                (
                    f"{identity}/{o.number}",
                    f"The {o.name} in {image} is {width:g} x {height:g} pixels, below `least_side` "
                    f"{settings.least_side}.",
                )
            )
        if settings.crop is None:
            classes = sorted({o.name for o in wanted})
            if len(classes) > 1:
                reason = f"{image} holds objects of several classes ({', '.join(classes)}): set `crop`."
                left_out.append((identity, reason))
            elif classes:
                boxes = tuple(same_class(objects, classes[0]))
                found[identity] = Cut(image, classes[0], None, boxes, annotated)
            continue
        if settings.objects == "largest":
            wanted = sorted(wanted, key=_area, reverse=True)[:1]
        for o in wanted:
            boxes = tuple(same_class(objects, o.name))
            found[f"{identity}/{o.number}"] = Cut(image, o.name, o.box, boxes, annotated)
    return found, left_out


def read_cut(cut: Cut, size: int, crop: float | None, mask: Foreground | None) -> Reading:
    """The sample at `size` pixels; `mask` makes its foreground (None: it gets none)."""
    stored = stored_size(cut.image)
    check_same_size(cut.annotated, stored, cut.image)
    window = None
    if cut.box is not None and crop is not None:
        window = crop_window(check_box(cut.box, stored, cut.image), crop, stored)
    pixels, _ = read_rgb(cut.image, size, window)
    return Reading(pixels, None if mask is None else mask(cut, stored, window), window_size(window, stored))


def boxes_as_foreground(size: int) -> Foreground:
    """Foreground for `read_cut`: the boxes of all objects of the sample's class, at `size` pixels.

    A neighbour whose box lies outside the image does not matter; the object's own box must hold a part of it.
    """

    def mask(cut: Cut, stored: tuple[int, int], window: Window | None) -> np.ndarray:
        own = cut.boxes if cut.box is None else (cut.box,)
        others = [b for b in cut.boxes if b not in own and meets(b, stored)]
        return box_mask([*own, *others], stored, size, cut.image, window)

    return mask


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0] + 1, box[3] - box[1] + 1


def _area(found: AnnotatedObject) -> float:
    width, height = (max(side, 0) for side in _sides(found.box))
    return width * height

"""The XML files of Pascal VOC and ILSVRC DET: which objects an image holds, and where."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from kdprobe.data.crops import Box
from kdprobe.data.reading import need_file, read_rows
from kdprobe.errors import DataError

_EDGES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class AnnotatedObject:
    """One object of an image."""

    number: int  #: its place in the file, from 1 on
    name: str  #: of its class, as in the file
    box: Box
    difficult: bool  #: marked as hard to recognise (Pascal VOC)


def read_objects(path: Path, first_pixel: int) -> tuple[list[AnnotatedObject], tuple[int, int] | None]:
    """(objects in the order of the file, annotated (width, height) or None) of the XML file at `path`.

    `first_pixel`: the number that the file gives to the first row and column (1 in Pascal VOC). Parts of an
    object (heads, hands) are no objects. DataError if the file is missing or damaged or an object lacks name
    or box.
    """
    need_file(path, "objects of one image")
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:  # LookupError: its encoding
        raise DataError(f"Cannot read the objects {path} ({error}); get the file anew.") from error
    objects = []
    for number, element in enumerate(root.findall("object"), start=1):
        name = (element.findtext("name") or "").strip()
        edges = [_number(element.findtext(f"bndbox/{edge}")) for edge in _EDGES]
        if not name or None in edges:
            raise DataError(
                f"Object {number} in {path} has no name or no box; mend it or leave the image out."
            )
        x0, y0, x1, y1 = (edge - first_pixel for edge in edges)
        objects.append(
            AnnotatedObject(number, name, (x0, y0, x1, y1), element.findtext("difficult", "0").strip() == "1")
        )
    sides = [_number(root.findtext(f"size/{side}")) for side in ("width", "height")]
    return objects, (int(sides[0]), int(sides[1])) if all(sides) else None


def check_same_size(annotated: tuple[int, int] | None, stored: tuple[int, int], path: Path) -> None:
    """DataError if the boxes were drawn on an image of another size than that at `path`."""
    if annotated is not None and annotated != stored:
        raise DataError(
            f"{path} has {stored[0]} x {stored[1]} pixels, but its boxes were drawn on {annotated[0]} x "
            f"{annotated[1]}; get the image anew or leave it out."
        )


def listed_images(path: Path, what: str) -> list[str]:
    """The first entry of each line of an image list, each once, in the list's order."""
    return list(dict.fromkeys(row[0] for row in read_rows(path, what, 1)))


def same_class(objects: Sequence[AnnotatedObject], name: str) -> list[Box]:
    """The boxes of all `objects` of the class `name`."""
    return [found.box for found in objects if found.name == name]


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None

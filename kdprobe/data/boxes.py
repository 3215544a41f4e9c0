"""The boxes file of `image_folder`."""

import re
from pathlib import Path

from kdprobe.data.crops import Box
from kdprobe.data.reading import one_form, read_lines


def read_boxes(path: Path) -> tuple[dict[str, list[Box]], dict[str, int]]:
    """(boxes by image, line number by image whose box cannot be read); lines are ``path,x0,y0,x1,y1``.

    Commas, semicolons, blanks or tabs separate; a header, empty lines and lines that begin with ``#`` are passed over.
    The path is ``<class>/<file>``; a leading ``images/`` or ``./`` is dropped.
    """
    boxes: dict[str, list[Box]] = {}
    unreadable: dict[str, int] = {}
    for number, line in enumerate(read_lines(path, "boxes"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        separator = next((mark for mark in ",;" if line.count(mark) > 3), None)
        cells = [c.strip().strip('"') for c in line.rsplit(separator, 4)]
        image = one_form(cells[0]).replace("\\", "/").removeprefix("./").removeprefix("images/")
        if image.lower() in ("path", "file", "image"):
            continue
        try:
            x0, y0, x1, y1 = (float(c) for c in cells[1:])
        except ValueError:
            unreadable[re.split("[,;]", image)[0]] = number
            continue
        boxes.setdefault(image, []).append((x0, y0, x1, y1))
    return boxes, unreadable

"""The boxes file of `image_folder`."""

from pathlib import Path

from kdprobe.data.crops import Box


def read_boxes(path: Path) -> tuple[dict[str, list[Box]], dict[str, int]]:
    """(boxes by image, line number by image whose box cannot be read); lines are ``path,x0,y0,x1,y1``.

    Commas, blanks or tabs separate; a header, empty lines and lines that begin with ``#`` are passed over.
    The path is ``<class>/<file>``; a leading ``images/`` or ``./`` is dropped.
    """
    boxes: dict[str, list[Box]] = {}
    unreadable: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        cells = [
            c.strip().strip('"') for c in (line.rsplit(",", 4) if "," in line else line.rsplit(maxsplit=4))
        ]
        image = cells[0].replace("\\", "/").removeprefix("./").removeprefix("images/")
        if image.lower() in ("path", "file", "image"):
            continue
        try:
            x0, y0, x1, y1 = (float(c) for c in cells[1:])
        except ValueError:
            unreadable[image.split(",")[0]] = number
            continue
        boxes.setdefault(image, []).append((x0, y0, x1, y1))
    return boxes, unreadable

"""Find files and read one image at the size asked for; a DataError names the path otherwise."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kdprobe.data.crops import Window
from kdprobe.errors import DataError
from kdprobe.paths import expanded

#: endings of files that count as images; anything else in a class folder is passed over
IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


def image_files(folder: Path) -> list[Path]:
    """The images right inside `folder`, sorted by name."""
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() in IMAGE_ENDINGS and not p.name.startswith(".")
    )


def need_folder(path: Path, what: str) -> Path:
    """`path` if it is a folder, else a DataError that says what should lie there."""
    if not path.is_dir():
        raise DataError(
            f"No folder {path} ({what}); check `root` and the layout in the data set's docstring."
        )
    return path


def need_file(path: Path, what: str) -> Path:
    """`path` if it is a file, else a DataError that says what should lie there."""
    if not path.is_file():
        raise DataError(f"No file {path} ({what}); check `root` and the layout in the data set's docstring.")
    return path


def find_root(root: str | Path, marker: str, inner: Sequence[str], what: str) -> Path:
    """`root`, or the folder `inner` in it, that holds `marker` (a file or folder); else a DataError."""
    root = need_folder(expanded(root), what)
    for place in (root, *(root / name for name in inner)):
        if (place / marker).exists():
            return place
    raise DataError(
        f"{root} holds no {marker} ({what}); check `root` and the layout in the data set's docstring."
    )


def read_rows(path: Path, what: str, cells: int) -> list[list[str]]:
    """The lines of the text file at `path`, cut at blanks into at least `cells` pieces, without empty ones.

    DataError if the file is missing, is no text, or holds a shorter line.
    """
    try:
        lines = need_file(path, what).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} ({what}) is no text file: {error}; get it anew.") from error
    rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    for number, row in rows:
        if len(row) < cells:
            raise DataError(
                f"{path}, line {number}: {len(row)} entries instead of {cells} ({what}); mend the line."
            )
    return [row for _, row in rows]


def read_rgb(
    path: Path, size: int | None = None, window: Window | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """((3, size, size) uint8, stored (width, height)) of the image at `path`; other modes become RGB.

    The whole image, or the part of it in `window`, is resized to the square (bilinear, antialiased); None
    keeps the size. A turn that a camera noted (EXIF) is not applied: boxes and masks refer to the pixels as
    they are stored.
    """
    image = open_image(path, "image")
    stored = image.size
    if image.mode.startswith("I;16"):  # 16-bit grey: keep the upper byte, since convert() would clip
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    image = image.convert("RGB")
    if window is not None:
        image = image.crop(window)
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)), stored


def stored_size(path: Path) -> tuple[int, int]:
    """(width, height) of the image at `path`, from its header."""
    return open_image(path, "image", whole=False).size


def open_image(path: Path, what: str, whole: bool = True) -> Image.Image:
    """The image or mask at `path`; with `whole` its pixels are read, so that a cut file is found out."""
    try:
        with Image.open(path) as image:
            if not whole:
                return image
            image.load()
            return image.copy()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = (
            "it is missing" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        )
        raise DataError(f"Cannot read the {what} {path} ({reason}); replace it or leave it out.") from error

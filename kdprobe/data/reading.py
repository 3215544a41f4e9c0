"""Find files and read one image at the size asked for; a DataError names the path otherwise."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from kdprobe.data.crops import Window
from kdprobe.errors import DataError

#: endings of files that count as images; anything else in a class folder is passed over
IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
_CAMERAS = frozenset({".jpg", ".jpeg", ".tif", ".tiff"})  #: endings of what cameras write
_UPRIGHT = (None, 1)  #: what EXIF says of an image that is not turned


def image_files(folder: Path) -> list[Path]:
    """The images right inside `folder`, sorted by name."""
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() in IMAGE_ENDINGS and not p.name.startswith(".")
    )


def one_form(name: str) -> str:
    """`name` with accents and letters put together: file systems spell the same name differently (Unicode NFC)."""
    return unicodedata.normalize("NFC", name)


def need_folder(path: Path, what: str) -> Path:
    """`path` if it is a folder, else a DataError that says what should lie there."""
    if not path.is_dir():
        raise DataError(f"No folder {path} ({what}); check `root` and what lies in it.")
    return path


def need_file(path: Path, what: str) -> Path:
    """`path` if it is a file, else a DataError that says what should lie there."""
    if not path.is_file():
        raise DataError(f"No file {path} ({what}); check `root` and what lies in it.")
    return path


def find_root(root: Path, marker: str, inner: Sequence[str], what: str) -> Path:
    """`root`, or the folder `inner` in it, that holds `marker` (a file or folder); else a DataError."""
    need_folder(root, what)
    for place in (root, *(root / name for name in inner)):
        if (place / marker).exists():
            return place
    raise DataError(f"{root} holds no {marker} ({what}); check `root` and what lies in it.")


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of the UTF-8 text file at `path`, a byte-order mark dropped; DataError if it is missing or no text."""
    try:
        return need_file(path, what).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} ({what}) is no UTF-8 text: {error}; get it anew, or save it as UTF-8."
        ) from error


def read_rows(path: Path, what: str, cells: int) -> list[list[str]]:
    """The lines of the text file at `path`, cut at blanks into at least `cells` pieces, without empty ones.

    DataError if the file is missing, is no text, or holds a shorter line.
    """
    rows = [(number, line.split()) for number, line in enumerate(read_lines(path, what), start=1)]
    for number, row in rows:
        if 0 < len(row) < cells:
            raise DataError(
                f"{path}, line {number}: {len(row)} entries instead of {cells} ({what}); mend the line."
            )
    return [row for _, row in rows if row]


def read_rgb(
    path: Path, size: int | None = None, window: Window | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """((3, size, size) uint8, stored (width, height)) of the image at `path`; other modes become RGB.

    The whole image, or the part of it in `window`, is resized to the square (bilinear, antialiased); None
    keeps the size. A turn that a camera noted (EXIF) is not applied: boxes and masks refer to the pixels as
    they are stored. DataError for 32-bit images, whose range is not known.
    """
    image = open_image(path, "image")
    stored = image.size
    if image.mode in ("I", "F"):
        raise DataError(
            f"The image {path} has 32-bit pixels of unknown range; store it with 8 bits a channel."
        )
    if image.mode.startswith("I;16"):  # 16-bit grey: keep the upper byte, since convert() would clip
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the direct way warns
    image = image.convert("RGB")
    if window is not None:
        image = image.crop(window)
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)), stored


def stored_size(path: Path) -> tuple[int, int]:
    """(width, height) of the image at `path`, from its header."""
    return open_image(path, "image", whole=False).size


def is_turned(path: Path) -> bool:
    """Whether a camera noted in the JPEG or TIFF at `path` (EXIF) that it is to be turned when it is shown."""
    if path.suffix.lower() not in _CAMERAS:
        return False
    with Image.open(path) as image:
        return image.getexif().get(ExifTags.Base.Orientation) not in _UPRIGHT


def open_image(path: Path, what: str, whole: bool = True) -> Image.Image:
    """The image or mask at `path`; with `whole` its pixels are read, so that a cut file is found out.

    A file whose ending is in capitals is found as well.
    """
    try:
        with Image.open(as_stored(path)) as image:
            if not whole:
                return image
            image.load()
            return image.copy()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = (
            "it is missing" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        )
        raise DataError(f"Cannot read the {what} {path} ({reason}); replace it or leave it out.") from error


def as_stored(path: Path) -> Path:
    """`path`, or the same with its ending in capitals if only that is there."""
    capitals = path.with_suffix(path.suffix.upper())
    return capitals if not path.exists() and capitals.exists() else path

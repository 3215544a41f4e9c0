"""Read one image, mask or box and bring it to the size asked for; a DataError names the path otherwise."""

from pathlib import Path

import numpy as np
from PIL import Image

from kdprobe.errors import DataError

#: endings of files that count as images; anything else in a class folder is passed over
IMAGE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})

Box = tuple[float, float, float, float]  #: x0, y0, x1, y1 in pixels of the stored image, all inclusive


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


def read_rgb(path: Path, size: int | None = None) -> tuple[np.ndarray, tuple[int, int]]:
    """((3, size, size) uint8, stored (width, height)) of the image at `path`; grey images become RGB.

    The whole image is resized to the square (bilinear, antialiased); None keeps the stored size.
    """
    image = _open(path, "image")
    stored = image.size
    if image.mode.startswith("I;16"):  # 16-bit grey: keep the upper byte, since convert() would clip
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    image = image.convert("RGB")
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)), stored


def read_mask(
    path: Path, stored: tuple[int, int], size: int, foreground: frozenset[int] | None = None
) -> np.ndarray:
    """(size, size) bool: pixels of which more than half is foreground in the mask at `path`.

    `foreground`: the values (or palette indices) that mean foreground; None: every value above 0, or above
    127 if the mask has more than 2 values up to 255 (a grey mask). `stored`: (width, height) of the image,
    which the mask must have.
    """
    if not path.is_file():
        raise DataError(f"No mask {path}; add it, or leave the image out.")
    mask = _open(path, "mask")
    if mask.size != stored:
        raise DataError(
            f"The mask {path} has {mask.size[0]} x {mask.size[1]} pixels, its image "
            f"{stored[0]} x {stored[1]}; masks must have the size of their image."
        )
    if foreground is not None and mask.mode not in ("P", "L"):
        raise DataError(
            f"The mask {path} has mode {mask.mode}, not palette indices; store it as a palette or grey PNG."
        )
    values = np.asarray(mask if mask.mode in ("P", "L", "1") else mask.convert("L")).astype(np.uint8)
    if foreground is not None:
        inside = np.isin(values, sorted(foreground))
    else:
        inside = values > (127 if len(np.unique(values)) > 2 and mask.mode != "P" else 0)
    return checked(shrink(inside, size), path, size)


def shrink(mask: np.ndarray, size: int) -> np.ndarray:
    """The (H, W) bool `mask` as (size, size) bool: True where more than half of the pixel's area is True."""
    if mask.shape == (size, size):
        return mask
    share = Image.fromarray(mask.astype(np.float32)).resize((size, size), Image.Resampling.BOX)
    return np.asarray(share) > 0.5


def checked(mask: np.ndarray, path: Path, size: int) -> np.ndarray:
    """`mask` if it holds foreground and background, else a DataError that names `path`."""
    if mask.all():
        raise DataError(
            f"The mask {path} is foreground everywhere (at {size} px): it leaves no background to compare."
        )
    if not mask.any():
        raise DataError(f"The mask {path} holds no foreground (at {size} px): mend it or raise image_size.")
    return mask


def box_mask(boxes: list[Box], stored: tuple[int, int], size: int, path: Path) -> np.ndarray:
    """(size, size) bool: pixels whose centre lies in one of `boxes`, in pixels of the `stored` image.

    A box that fills the image is allowed (such images train, but cannot be probe images). DataError if a box
    is no box or lies outside the image; `path` is the image that the sentence names.
    """
    width, height = stored
    x = (np.arange(size) + 0.5) * width / size
    y = (np.arange(size) + 0.5) * height / size
    mask = np.zeros((size, size), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        inside = x1 >= x0 and y1 >= y0 and x1 >= 0 and y1 >= 0 and x0 < width and y0 < height
        if not inside:
            raise DataError(
                f"The box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) of {path} is empty or lies outside its "
                f"{width} x {height} pixels; give x0, y0, x1, y1 in pixels of the stored image, inclusive."
            )
        mask |= ((y >= y0) & (y < y1 + 1))[:, None] & ((x >= x0) & (x < x1 + 1))[None, :]
    if not mask.any():
        raise DataError(f"The box of {path} covers no pixel at {size} px; mend it or raise image_size.")
    return mask


def _open(path: Path, what: str) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = (
            "it is missing" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
        )
        raise DataError(f"Cannot read the {what} {path} ({reason}); replace it or leave it out.") from error

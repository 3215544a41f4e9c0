"""From a mask file or boxes to the foreground at the size of the images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kdprobe.data.choosing import nearest
from kdprobe.data.crops import Box, Window, check_box
from kdprobe.data.reading import as_stored, open_image
from kdprobe.errors import ConfigError, DataError

MASK_RULES = ("majority", "released")


def check_mask_rule(rule: str) -> str:
    """`rule` if it is one of `MASK_RULES`."""
    if rule not in MASK_RULES:
        raise ConfigError(
            f"mask_rule must be 'majority' or 'released', got {rule!r}.{nearest(rule, MASK_RULES)}"
        )
    return rule


def mask_values(path: Path, stored: tuple[int, int], indices: bool = False) -> np.ndarray:
    """(H, W) uint8: the palette indices or grey values of the mask at `path`; colours become grey.

    `stored`: (width, height) of the image, which the mask must have. With `indices`, colours are refused.
    """
    return _values(_open_mask(path, stored, indices))


def read_mask(
    path: Path, stored: tuple[int, int], size: int, foreground: frozenset[int] | None = None
) -> np.ndarray:
    """(size, size) bool: pixels of which more than half is foreground in the mask at `path`.

    `foreground`: the values (or palette indices) that mean foreground; None: every value above 0, or above
    127 if the mask has more than 2 values up to 255 (a grey mask). `stored`: (width, height) of the image,
    which the mask must have.
    """
    mask = _open_mask(path, stored, indices=foreground is not None)
    values = _values(mask)
    if foreground is not None:
        inside = np.isin(values, sorted(foreground))
    else:
        grey = len(np.unique(values)) > 2 and mask.mode != "P"
        inside = values > (127 if grey else 0)
        if grey and not inside.any():
            raise DataError(
                f"The grey mask {path} holds no value above 127, which is foreground; save foreground as 255, "
                "background as 0."
            )
    return fit_mask(inside, size, path)


def _open_mask(path: Path, stored: tuple[int, int], indices: bool) -> Image.Image:
    if not as_stored(path).is_file():
        raise DataError(f"No mask {path}; add it, or leave the image out.")
    mask = open_image(path, "mask")
    if mask.size != stored:
        turned = mask.size == stored[::-1]
        raise DataError(
            f"The mask {path} has {mask.size[0]} x {mask.size[1]} pixels, its image "
            f"{stored[0]} x {stored[1]}; masks must have the size of their image"
            f"{' as it is stored: a turn noted by the camera (EXIF) is not applied' if turned else ''}."
        )
    if indices and mask.mode not in ("P", "L"):
        raise DataError(
            f"The mask {path} has mode {mask.mode}, not palette indices; store it as a palette or grey PNG."
        )
    return mask


def _values(mask: Image.Image) -> np.ndarray:
    return np.asarray(mask if mask.mode in ("P", "L", "1") else mask.convert("L")).astype(np.uint8)


def fit_mask(
    mask: np.ndarray, size: int, path: Path, window: Window | None = None, rule: str = "majority"
) -> np.ndarray:
    """(size, size) bool of the (H, W) `mask`, or of its part in `window`, brought to the size of the images.

    rule `majority`: `mask` is bool; a pixel is foreground if more than half of its area is. `released` (the
    code released with arXiv 2003.03622): `mask` is uint8, resized bilinearly with antialiasing; every value
    above 0 is foreground. DataError naming `path` if foreground or background is missing.
    """
    if window is not None:
        left, top, right, bottom = window
        mask = mask[top:bottom, left:right]
    if rule == "released":
        image = Image.fromarray(np.ascontiguousarray(mask))
        fitted = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)) > 0
    else:
        fitted = shrink(mask, size)
    return _checked(fitted, path, size)


def shrink(mask: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool of the (H, W) bool `mask`: True where more than half of the pixels are.

    A pixel belongs to where its centre lies.
    """
    if mask.shape == (size, size):
        return mask
    share = Image.fromarray(mask.astype(np.float32)).resize((size, size), Image.Resampling.BOX)
    return np.asarray(share) > 0.5


def _checked(mask: np.ndarray, path: Path, size: int) -> np.ndarray:
    if mask.all():
        raise DataError(
            f"The mask {path} is foreground everywhere (at {size} px): it leaves no background to compare."
        )
    if not mask.any():
        raise DataError(f"The mask {path} holds no foreground (at {size} px): mend it or raise image_size.")
    return mask


def box_mask(
    boxes: Sequence[Box], stored: tuple[int, int], size: int, path: Path, window: Window | None = None
) -> np.ndarray:
    """(size, size) bool: pixels whose centre lies in one of `boxes`, in pixels of the `stored` image.

    With `window`, of the part of the image that lies in it. A box that fills the image is allowed (such
    images train, but cannot be probe images). DataError if a box is no box or lies outside the image; `path`
    is the image that the sentence names.
    """
    left, top, right, bottom = window or (0, 0, *stored)
    x = left + (np.arange(size) + 0.5) * (right - left) / size
    y = top + (np.arange(size) + 0.5) * (bottom - top) / size
    mask = np.zeros((size, size), dtype=bool)
    for box in boxes:
        x0, y0, x1, y1 = check_box(box, stored, path)
        mask |= ((y >= y0) & (y < y1 + 1))[:, None] & ((x >= x0) & (x < x1 + 1))[None, :]
    if not mask.any():
        raise DataError(f"The box of {path} covers no pixel at {size} px; mend it or raise image_size.")
    return mask

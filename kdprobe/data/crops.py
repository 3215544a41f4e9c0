"""Boxes and the windows cut out around them: whole pixels, clipped to the image."""

import math
from typing import Any

from kdprobe.errors import ConfigError, DataError

Box = tuple[float, float, float, float]  #: x0, y0, x1, y1 in pixels of the stored image, all inclusive
Window = tuple[int, int, int, int]  #: left, top, right, bottom in pixels; right and bottom are left out


def check_crop(crop: Any) -> float | None:
    """`crop` if it is None or a number from 1 on."""
    if crop is None:
        return None
    if isinstance(crop, bool) or not isinstance(crop, int | float) or not 1 <= crop < math.inf:
        raise ConfigError(
            f"crop must be a number from 1 on (1.5: one and a half times the box), or null for whole images, "
            f"got {crop!r}."
        )
    return float(crop)


def meets(box: Box, stored: tuple[int, int]) -> bool:
    """Whether `box` holds a part of the image of `stored` (width, height) pixels; NaN or an endless one never does."""
    x0, y0, x1, y1 = box
    return (
        all(map(math.isfinite, box))
        and x1 >= max(x0, 0)
        and y1 >= max(y0, 0)
        and x0 < stored[0]
        and y0 < stored[1]
    )


def check_box(box: Box, stored: tuple[int, int], what: Any) -> Box:
    """`box` if it `meets` the image, beyond which it may reach; else a DataError that names `what`."""
    if not meets(box, stored):
        x0, y0, x1, y1 = box
        raise DataError(
            f"The box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) of {what} is empty or lies outside its "
            f"{stored[0]} x {stored[1]} pixels; give x0, y0, x1, y1 in pixels of the stored image, inclusive."
        )
    return box


def crop_window(box: Box, factor: float, stored: tuple[int, int]) -> Window:
    """The window `factor` times as wide and high as `box`, about its centre.

    `stored`: (width, height) of the image.
    Edges go to the nearest whole pixel (halves upwards) and are clipped to the image, so that an object at
    the border is no longer in the middle of its window. At least one pixel each way.
    """
    x0, y0, x1, y1 = box
    left, right = _side(x0, x1 + 1, factor, stored[0])
    top, bottom = _side(y0, y1 + 1, factor, stored[1])
    return left, top, right, bottom


def window_size(window: Window | None, stored: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of `window`, or of the whole image of `stored` (width, height) pixels."""
    return stored if window is None else (window[2] - window[0], window[3] - window[1])


def _side(low: float, high: float, factor: float, length: int) -> tuple[int, int]:
    centre, half = (low + high) / 2, factor * (high - low) / 2
    first = min(max(math.floor(centre - half + 0.5), 0), length - 1)
    return first, max(min(math.floor(centre + half + 0.5), length), first + 1)

"""Paint cluttered digits, many at once, from numbers drawn in a fixed order: the same seed, the same bytes.

Only ``Generator.random`` is drawn from and only sums and products follow, in float64, so that rounding to
bytes does not depend on the numpy version or the processor.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kdprobe.errors import ConfigError

_CHUNK = 500  # images painted at once: bounds memory
_EDGE = 0.35, 0.65  # ink of the enlarged digit at which its paint begins to cover, and covers fully


@dataclass(frozen=True)
class Clutter:
    """What surrounds the digit and how clearly it stands out; lengths in pixels of a 32 x 32 image."""

    digit_size: tuple[float, float] = (20.0, 26.0)  #: side of the digit's square
    digit_contrast: tuple[float, float] = (
        0.35,
        0.7,
    )  #: largest difference to the background's colour over channels
    fragments: int = 4  #: fragments of other digits
    fragment_size: tuple[float, float] = (5.0, 7.0)  #: side of a fragment's square
    texture: float = 0.15  #: amplitude of the coloured noise

    def __post_init__(self) -> None:
        for name, most in (("digit_size", 32.0), ("digit_contrast", 1.0), ("fragment_size", 32.0)):
            value = getattr(self, name)
            if len(value) != 2 or not 0 < value[0] <= value[1] <= most:
                raise ConfigError(
                    f"{name} must be two numbers with 0 < low <= high <= {most:g}, got {value!r}."
                )
        if isinstance(self.fragments, bool) or not isinstance(self.fragments, int) or self.fragments < 0:
            raise ConfigError(f"fragments must be a whole number from 0, got {self.fragments!r}.")
        if not 0 <= self.texture <= 1:
            raise ConfigError(f"texture must lie in 0 ... 1, got {self.texture!r}.")

    def describe(self) -> dict[str, Any]:
        """The fields, JSON-able."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def paint(
    generator: np.random.Generator,
    digits: np.ndarray,
    labels: np.ndarray,
    shown: np.ndarray,
    size: int,
    clutter: Clutter,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of the digits `shown` (N,), painted with handwritten `digits` (n, 8, 8) that have `labels` (n,).

    Returns ((N, 3, size, size) uint8, (N, size, size) bool stroke, (N,) index of the digit shown).
    """
    images = np.empty((len(shown), 3, size, size), dtype=np.uint8)
    strokes = np.empty((len(shown), size, size), dtype=bool)
    sources = np.empty(len(shown), dtype=np.int64)
    for start in range(0, len(shown), _CHUNK):
        part = slice(start, start + _CHUNK)
        images[part], strokes[part], sources[part] = _paint(
            generator, digits, labels, shown[part], size, clutter
        )
    return images, strokes, sources


def _paint(generator, digits, labels, shown, size, clutter):  # same arguments as paint
    count, pixel = len(shown), size / 32
    base = _between(generator, (0.3, 0.7), count, 3)[..., None, None]
    canvas = base + clutter.texture * _noise(generator, count, size)
    for _ in range(clutter.fragments):
        source = _pick(
            generator, labels, (shown + 1 + np.floor(9 * generator.random(count)).astype(int)) % 10
        )
        ink = _fragment(generator, digits[source], size, clutter, pixel)
        canvas = _cover(canvas, ink, _colour(generator, base, clutter.digit_contrast))
    source = _pick(generator, labels, shown)
    side = _between(generator, clutter.digit_size, count) * pixel
    left, top = (generator.random(count) * (size - side) for _ in range(2))
    ink = _enlarged(digits[source], side, left, top, size)
    canvas = _cover(canvas, ink, _colour(generator, base, clutter.digit_contrast))
    return np.rint(255 * np.clip(canvas, 0, 1)).astype(np.uint8), ink > 0.5, source


def _between(generator: np.random.Generator, bounds: tuple[float, float], *shape: int) -> np.ndarray:
    return bounds[0] + (bounds[1] - bounds[0]) * generator.random(shape)


def _pick(generator: np.random.Generator, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """One index of a handwritten digit with each `wanted` label."""
    draws = generator.random(len(wanted))
    picked = np.empty(len(wanted), dtype=np.int64)
    for digit in range(10):
        members, mine = np.flatnonzero(labels == digit), wanted == digit
        picked[mine] = members[np.floor(draws[mine] * len(members)).astype(int)]
    return picked


def _noise(generator: np.random.Generator, count: int, size: int) -> np.ndarray:
    """(count, 3, size, size) in -1 ... 1 or a little beyond: coarse to fine bilinear noise."""
    total = np.zeros((count, 3, size, size))
    for cells, strength in ((3, 0.5), (6, 0.3), (12, 0.2)):
        grid = 2 * generator.random((count, 3, cells, cells)) - 1
        weights = _tent(np.linspace(0, cells - 1, size)[None], cells)[0]
        total += 2 * strength * np.einsum("ik,nckl,jl->ncij", weights, grid, weights, optimize=True)
    return total


def _colour(generator: np.random.Generator, base: np.ndarray, contrast: tuple[float, float]) -> np.ndarray:
    """(count, 3, 1, 1): a colour whose distance to `base` in the farthest channel is within `contrast`."""
    away = 2 * generator.random((len(base), 3)) - 1
    away *= (_between(generator, contrast, len(base)) / np.abs(away).max(1))[:, None]
    return np.clip(base + away[..., None, None], 0, 1)


def _cover(canvas: np.ndarray, ink: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return canvas + ink[:, None] * (colour - canvas)


def _enlarged(
    digits: np.ndarray, side: np.ndarray, left: np.ndarray, top: np.ndarray, size: int
) -> np.ndarray:
    """(N, size, size) in 0 ... 1: how far digits, enlarged to `side` at (`left`, `top`), cover each pixel."""
    place = np.arange(size) + 0.5
    rows = _tent((place - top[:, None]) * 8 / side[:, None] - 0.5, 8)
    columns = _tent((place - left[:, None]) * 8 / side[:, None] - 0.5, 8)
    ink = rows @ digits @ columns.transpose(0, 2, 1)
    return np.clip((ink - _EDGE[0]) / (_EDGE[1] - _EDGE[0]), 0, 1)


def _fragment(
    generator: np.random.Generator, digits: np.ndarray, size: int, clutter: Clutter, pixel: float
) -> np.ndarray:
    """(N, size, size) in 0 ... 1: a square piece of each enlarged digit, somewhere in the image."""
    count = len(digits)
    side = _between(generator, clutter.digit_size, count) * pixel
    width = _between(generator, clutter.fragment_size, count) * pixel
    x, y = (width / 2 + generator.random(count) * (size - width) for _ in range(2))
    shift_x, shift_y = (_between(generator, (0.3, 0.7), count) * side for _ in range(2))
    ink = _enlarged(digits, side, x - shift_x, y - shift_y, size)
    place = np.arange(size) + 0.5
    inside_x = np.abs(place - x[:, None]) <= width[:, None] / 2
    inside_y = np.abs(place - y[:, None]) <= width[:, None] / 2
    return ink * inside_y[:, :, None] * inside_x[:, None, :]


def _tent(position: np.ndarray, cells: int) -> np.ndarray:
    """(N, size, cells) bilinear weights of `position` (N, size), in cells from the first cell's centre."""
    return np.maximum(0, 1 - np.abs(position[:, :, None] - np.arange(cells)))

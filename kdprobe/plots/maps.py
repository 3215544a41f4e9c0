"""One image and what a network makes of it: the photograph, a map of entropy, a map of concept cells."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from kdprobe.errors import InputError
from kdprobe.plots.style import BLUE, ORANGE

ENTROPY_LABEL = "entropy $H$ / nats"
ENTROPY_COLOURS = "viridis"
MISSING_COLOUR = "#BBBBBB"


def photograph(ax: Axes, image, foreground=None) -> Axes:
    """The image, (H, W, 3) in 0 ... 1, with the outline of its foreground, (H, W) bool."""
    _bare(ax).imshow(np.clip(np.asarray(image, dtype=float), 0, 1), interpolation="nearest")
    if foreground is not None:
        _outline(ax, foreground)
    return ax


def entropy_map(ax: Axes, entropy, *, low: float, high: float, size: tuple[int, int] | None = None) -> Axes:
    """Cells of a (g, g) entropy map in nats on the colour scale `low` ... `high`, in nats; NaN is grey.

    size: (H, W) of the image that the cells cover, in pixels; without it the map is square.
    The colour bar belongs to the figure: `ax.figure.colorbar(ax.images[0], label=ENTROPY_LABEL)`.
    """
    cells = np.asarray(entropy, dtype=float)
    if cells.ndim != 2:
        raise InputError(f"an entropy map has the shape (g, g), got {cells.shape}")
    _bare(ax).set_facecolor(MISSING_COLOUR)
    ax.imshow(
        np.ma.masked_invalid(cells),
        cmap=ENTROPY_COLOURS,
        vmin=low,
        vmax=high,
        extent=_extent(size or cells.shape),
        interpolation="nearest",
    )
    return ax


def concept_map(ax: Axes, image, concepts, foreground_cells, foreground=None) -> Axes:
    """Concept cells over the paled image: blue on the foreground, orange on the background.

    image: (H, W, 3) in 0 ... 1; concepts, foreground_cells: (g, g) bool; foreground: (H, W) bool, outlined.
    """
    concepts, inside = np.asarray(concepts, dtype=bool), np.asarray(foreground_cells, dtype=bool)
    if concepts.shape != inside.shape or concepts.ndim != 2:
        raise InputError(
            f"concepts and foreground cells have one shape (g, g), got {concepts.shape} and {inside.shape}"
        )
    image = np.clip(np.asarray(image, dtype=float), 0, 1)
    grey = image.mean(axis=-1)
    _bare(ax).imshow(0.35 + 0.65 * grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    colours = np.zeros((*concepts.shape, 4))
    colours[concepts & inside] = to_rgba(BLUE, 0.72)
    colours[concepts & ~inside] = to_rgba(ORANGE, 0.72)
    ax.imshow(colours, extent=_extent(image.shape[:2]), interpolation="nearest")
    if foreground is not None:
        _outline(ax, foreground)
    return ax


def _extent(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where cells lie that cover an image of `size` (H, W) pixels: left, right, bottom, top."""
    return -0.5, size[1] - 0.5, size[0] - 0.5, -0.5


def _outline(ax: Axes, foreground) -> None:
    mask = np.asarray(foreground, dtype=bool)
    if not mask.any():
        return
    padded = np.pad(mask, 1).astype(float)
    rows, columns = (np.arange(-1, size + 1) for size in mask.shape)
    for colour, width in (("black", 1.8), ("white", 0.9)):
        ax.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=width)
    ax.set_xlim(-0.5, mask.shape[1] - 0.5)
    ax.set_ylim(mask.shape[0] - 0.5, -0.5)


def _bare(ax: Axes) -> Axes:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax

"""One image, all networks, chosen epochs: entropy maps and concept cells on one shared colour scale."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kdprobe.errors import InputError
from kdprobe.plots.maps import ENTROPY_LABEL, MISSING_COLOUR, concept_map, entropy_map, photograph
from kdprobe.plots.style import BLUE, ORANGE, house_style, new_figure, plain_text, wrapped
from kdprobe.records import ConceptMaps

# In inches: photograph | names of the rows | one column per epoch | colour bar; a line for each name.
_PHOTO, _ROWS, _TILE, _GAP, _BAR, _EDGE = 1.5, 0.32, 1.12, 0.06, 0.85, 0.12
_TOP, _NAME, _BETWEEN = 0.3, 0.2, 0.1


def maps_figure(maps: ConceptMaps) -> Figure:
    """Two rows per network (entropy, concept cells), one column per epoch, the outlined image at the left.

    All maps share one colour scale, which runs from the least to the greatest entropy shown, in nats.
    """
    names, epochs = list(maps.entropy), maps.epochs
    if not names or not epochs:
        raise InputError("concept maps need at least one network and one epoch")
    low, high = _scale(maps)
    size = np.asarray(maps.image).shape[:2]
    tile = _TILE * size[0] / size[1]  # a tile has the image's shape
    left = _EDGE + _PHOTO + _ROWS
    width = left + len(epochs) * (_TILE + _GAP) + _BAR
    block = _NAME + 2 * (tile + _GAP) + _BETWEEN
    one_line = width > 6.2
    height = _TOP + max(len(names) * block, 2.4) + (0.3 if one_line else 0.64)
    with house_style():
        figure = new_figure(width, height)

        def place(x: float, y: float, w: float, h: float):
            """Axes at x, y from the upper left corner; all in inches."""
            return figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))

        def write(x: float, y: float, text: str, **options) -> None:
            plain_text(figure.text(x / width, 1 - y / height, "", **options), text)

        photo = place(_EDGE, _TOP, _PHOTO, _PHOTO)
        photograph(photo, maps.image, maps.foreground).set_anchor("N")
        _caption(write, maps)
        for n, name in enumerate(names):
            top = _TOP + n * block + _NAME
            write(left, top - 0.05, wrapped(name, 17 * len(epochs), lines=1), fontsize=8, fontweight="bold")
            for k, epoch in enumerate(epochs):
                x = left + k * (_TILE + _GAP)
                upper, lower = (place(x, top + r * (tile + _GAP), _TILE, tile) for r in (0, 1))
                entropy_map(upper, maps.entropy[name][k], low=low, high=high, size=size)
                concept_map(lower, maps.image, maps.concepts[name][k], maps.foreground_cells, maps.foreground)
                if k == 0:
                    upper.set_ylabel("entropy $H$", fontsize=7)
                    lower.set_ylabel("concepts", fontsize=7)
                if n == 0:
                    write(x + _TILE / 2, 0.2, f"epoch {epoch}", fontsize=8, ha="center", va="center")
        bar_height = min(len(names) * block - _NAME - _BETWEEN - _GAP, 6.0)
        bar = place(width - _BAR + 0.08, _TOP + _NAME, 0.13, bar_height)
        figure.colorbar(upper.images[0], cax=bar).set_label(ENTROPY_LABEL, labelpad=3)
        _legend(figure, _missing(maps), 4 if one_line else 2)
    return figure


def _scale(maps: ConceptMaps) -> tuple[float, float]:
    known = np.concatenate([np.asarray(cells, dtype=float).ravel() for cells in maps.entropy.values()])
    known = known[np.isfinite(known)]
    if known.size == 0:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _caption(write, maps: ConceptMaps) -> None:
    rows, columns = np.asarray(maps.image).shape[:2]
    below = _TOP + _PHOTO * min(1.0, rows / columns) + 0.06
    write(_EDGE, _TOP - 0.05, wrapped(maps.label, 26, lines=1), fontsize=7, fontweight="bold")
    write(_EDGE, below, wrapped(maps.image_id, 29, lines=3), fontsize=6, va="top", color="#444444")


def _missing(maps: ConceptMaps) -> bool:
    return not all(np.isfinite(np.asarray(cells, dtype=float)).all() for cells in maps.entropy.values())


def _legend(figure: Figure, missing: bool, columns: int) -> None:
    handles = [
        Patch(facecolor=BLUE, alpha=0.8, label="concept on the foreground"),
        Patch(facecolor=ORANGE, alpha=0.8, label="concept on the background"),
        Line2D([], [], color="#777777", linewidth=1.6, label="outline of the foreground"),
    ]
    if missing:
        handles.append(Patch(facecolor=MISSING_COLOUR, label="no estimate"))
    figure.legend(
        handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=7, columnspacing=1.4
    )

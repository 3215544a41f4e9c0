"""Strips of concept maps: one row per image and network, one column per epoch, the foreground outlined."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kdprobe.errors import InputError
from kdprobe.plots.maps import concept_map, photograph
from kdprobe.plots.page import WIDTHS, page_figure, small_print
from kdprobe.plots.style import BLUE, ORANGE, SMALL_SIZE, page_style, plain_text, wrapped
from kdprobe.records import ConceptMaps

# Inches.
_NAME, _GAP, _EDGE, _HEAD, _BETWEEN, _LEGEND = 0.72, 0.03, 0.06, 0.19, 0.09, 0.2
_LINE = 0.11  #: of small print
MOST_EPOCHS = {"one": 6, "two": 10}


def shown_epochs(count: int, most: int) -> list[int]:
    """Places of at most `most` of `count` epochs, evenly spread, the first and the last among them."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, most))})


def strips_figure(images: Sequence[ConceptMaps], *, column: str = "two", note: str = "") -> Figure:
    """Concept cells of every network at its epochs, blue on the foreground, orange beside it.

    images: the networks and epochs of each are drawn as they come, evenly spread epochs where there are more than
    MOST_EPOCHS; the photograph stands at the left unless all images are blank (one grey).
    """
    if not images or any(not maps.entropy or not maps.epochs for maps in images):
        raise InputError("strips need at least one image, and of each one network and one epoch")
    if column not in WIDTHS:
        raise InputError(f"a figure is 'one' or 'two' columns wide, got {column!r}")
    photographs = any(np.ptp(np.asarray(maps.image, dtype=float)) > 0 for maps in images)
    places = [shown_epochs(len(maps.epochs), MOST_EPOCHS[column]) for maps in images]
    across = max(map(len, places)) + photographs
    tile = min((WIDTHS[column] - 2 * _EDGE - _NAME) / across - _GAP, 1.1)
    heights = [tile * (shape := np.shape(maps.image))[0] / shape[1] for maps in images]
    blocks = [
        _HEAD + len(maps.entropy) * (h + _GAP) + _BETWEEN for maps, h in zip(images, heights, strict=True)
    ]
    legend = _LEGEND * (2 if column == "one" else 1)
    height = _EDGE + sum(blocks) + legend + _LINE * (_lines(note, column) + 1)
    with page_style():
        figure = page_figure(column, height, layout="none")
        width = figure.get_figwidth()

        def place(x: float, y: float, high: float):
            return figure.add_axes((x / width, 1 - (y + high) / height, tile / width, high / height))

        def write(x: float, y: float, text: str, **options) -> None:
            plain_text(figure.text(x / width, 1 - y / height, "", fontsize=SMALL_SIZE, **options), text)

        top = _EDGE
        left = _EDGE + _NAME + photographs * (tile + _GAP)
        for maps, chosen, high, block in zip(images, places, heights, blocks, strict=True):
            label = wrapped(maps.label, int((left - _EDGE) / 0.062), 1)
            write(_EDGE, top + _HEAD / 2, label, va="center", fontweight="bold")
            if photographs:
                photograph(place(_EDGE, top + _HEAD, high), maps.image, maps.foreground)
            for row, name in enumerate(maps.entropy):
                y = top + _HEAD + row * (high + _GAP)
                write(
                    left - 0.06,
                    y + high / 2,
                    _name(name, high),
                    va="center",
                    ha="right",
                    multialignment="right",
                )
                for k, epoch in enumerate(chosen):
                    x = left + k * (tile + _GAP)
                    concepts = maps.concepts[name][epoch]
                    concept_map(
                        place(x, y, high), maps.image, concepts, maps.foreground_cells, maps.foreground
                    )
                    if row == 0:
                        head = f"{'' if k else 'epoch '}{maps.epochs[epoch]}"
                        write(x + tile / 2, top + _HEAD / 2, head, va="center", ha="center")
            top += block
        _legend(figure, 1 - (top + legend) / height, 3 if column == "two" else 2)
        if note:
            small_print(figure, note)
    return figure


def _lines(note: str, column: str) -> int:
    return wrapped(note, int((WIDTHS[column] - 0.12) / 0.049), 12).count("\n") + 1 if note else 0


def _name(name: str, high: float) -> str:
    return wrapped(name, 12, max(1, int(high / 0.11)))


def _legend(figure: Figure, bottom: float, columns: int) -> None:
    handles = [
        Patch(facecolor=BLUE, alpha=0.8, label="concept on the foreground"),
        Patch(facecolor=ORANGE, alpha=0.8, label="concept on the background"),
        Line2D([], [], color="#777777", linewidth=1.4, label="outline of the foreground"),
    ]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, bottom), ncols=columns, frameon=False,
        fontsize=SMALL_SIZE, columnspacing=1.0, handletextpad=0.5, borderpad=0.3, labelspacing=0.3,
    )  # fmt: skip

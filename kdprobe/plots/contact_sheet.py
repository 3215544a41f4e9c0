"""A contact sheet: some images of a data set with the outline of their foreground."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.text import Text

from kdprobe.errors import InputError
from kdprobe.plots.maps import photograph
from kdprobe.plots.style import house_style, new_figure, plain_text, wrapped

# Inches.
_TILE, _GAP, _CAPTION, _EDGE, _HEAD, _LINE = 1.5, 0.12, 0.30, 0.15, 0.28, 0.16
_CHARACTERS = 34  #: of a caption's line at most


def contact_sheet(
    images: Sequence,
    foregrounds: Sequence,
    captions: Sequence[tuple[str, str]],
    *,
    title: str,
    subtitle: str,
    columns: int = 6,
) -> Figure:
    """N images in rows of `columns`, each with two lines of caption below it.

    images: (H, W, 3) in 0 ... 1; foregrounds: (H, W) bool, outlined, or None. A title or caption that is too
    long is cut with an ellipsis. InputError if there is no image or the lengths differ.
    """
    if not images or not len(images) == len(foregrounds) == len(captions):
        raise InputError(
            "a contact sheet needs as many foregrounds and captions as images, and at least one; got "
            f"{len(images)} images, {len(foregrounds)} foregrounds and {len(captions)} captions"
        )
    across = min(columns, max(len(images), 4))  # room for the title
    down = -(-len(images) // columns)
    width = 2 * _EDGE + across * _TILE + (across - 1) * _GAP
    under = wrapped(subtitle, int((width - 2 * _EDGE) * 16), 3)
    head = _HEAD + _LINE * (under.count("\n") + 1) + 0.08
    height = 2 * _EDGE + head + down * (_TILE + _CAPTION + _GAP) - _GAP
    with house_style():
        figure = new_figure(width, height)
        x, y = _EDGE / width, 1 - _EDGE / height
        plain_text(
            figure.text(x, y, "", fontsize=11, fontweight="bold", va="top"),
            wrapped(title, int(width * 9.5), 1),
        )
        plain_text(
            figure.text(x, y - _HEAD / height, "", fontsize=8, va="top", color="#444444", linespacing=1.25),
            under,
        )
        for place, (image, foreground, lines) in enumerate(zip(images, foregrounds, captions, strict=True)):
            row, column = divmod(place, columns)
            left = _EDGE + column * (_TILE + _GAP)
            top = height - _EDGE - head - row * (_TILE + _CAPTION + _GAP)
            ax = figure.add_axes((left / width, (top - _TILE) / height, _TILE / width, _TILE / height))
            photograph(ax, image, foreground)
            for k, (text, colour) in enumerate(zip(lines, ("black", "#444444"), strict=True)):
                low = (top - _TILE - 0.04 - k * 0.125) / height
                line = figure.text(left / width, low, "", fontsize=7, va="top", color=colour)
                _write(line, text, _TILE * figure.dpi)
    return figure


def _write(line: Text, text: str, most: float) -> None:
    """Put as much of `text` into `line` as fits into `most` pixels."""
    for characters in range(_CHARACTERS, 1, -1):
        plain_text(line, wrapped(text, characters, 1))
        if line.get_window_extent().width <= most:
            return

"""What an eye would object to: texts that run into each other or out of the figure."""

from itertools import combinations

from matplotlib.text import Text


def texts(figure) -> list[tuple[str, object]]:
    """(text, extent in pixels) of all that is written, as the figure is drawn."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    unseen = _out_of_view(figure)
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in unseen]
    shown = [(t.get_text(), t.get_window_extent(renderer)) for t in found]
    return [(text, box) for text, box in shown if box.width > 0]


def _out_of_view(figure) -> set:
    """Labels of ticks beyond the ends of their axis: matplotlib keeps them but does not draw them."""
    unseen = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        margin = 1e-9 * (high - low)
        for tick in axis.get_major_ticks():
            if not low - margin <= tick.get_loc() <= high + margin:
                unseen |= {tick.label1, tick.label2}
    return unseen


def faults(figure) -> list[str]:
    """Sentences on overlapping and cut texts; empty if all is well."""
    shown = texts(figure)
    width, height = figure.canvas.get_width_height()
    found = [
        f"{text!r} is cut: {box.extents}"
        for text, box in shown
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    for (one, a), (other, b) in combinations(shown, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > 1 and along > 1:
            found.append(f"{one!r} overlaps {other!r}")
    return found

"""What figures for a printed page share: their width, the legend above, the small print below, a panel's look."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kdprobe.errors import InputError
from kdprobe.plots.style import LABEL_SIZE, SMALL_SIZE, Named, Style, new_figure, plain_text, wrapped

#: Inches: one column of a page is 88 mm wide, two are 180 mm.
WIDTHS = {"one": 88 / 25.4, "two": 180 / 25.4}
_CHARACTER = 0.59 * SMALL_SIZE / 72  #: inches, of an average line in DejaVu Sans
_HANDLE = 0.42  #: inches: the sample in a legend and the gap to the next


def page_figure(column: str, height: float, *, layout: str = "constrained") -> Figure:
    """An empty figure, one or two columns wide, `height` inches high; call it inside `page_style`.

    column: "one" or "two"; layout: "constrained", or "none" for a caller who places everything.
    """
    if column not in WIDTHS:
        raise InputError(f"a figure is 'one' or 'two' columns wide, got {column!r}")
    figure = new_figure(WIDTHS[column], height, layout=layout)
    if layout == "constrained":
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.03, hspace=0.03)
    return figure


def panel_grid(
    column: str, count: int, most: int, *, head: float, row: float, **shared
) -> tuple[Figure, list[Axes], int]:
    """A figure of `count` panels, at most `most` beside each other; the figure, its panels, how many stand in a row.

    head: inches for what is above and below all panels; row: inches for each row of them; shared: `sharex` and
    `sharey` of `Figure.subplots`. What the panels leave of the last row is empty.
    """
    across = min(count, most)
    down = -(-count // across)
    figure = page_figure(column, head + row * down)
    panels = list(figure.subplots(down, across, squeeze=False, **shared).flatten())
    for ax in panels[count:]:
        empty(ax)
    return figure, panels[:count], across


def label_lowest(panels: Sequence[Axes], across: int, label: str) -> None:
    """The x axis of panels of one `panel_grid` that share it: named and numbered in the lowest of each column."""
    for ax in panels[-across:]:
        ax.tick_params(labelbottom=True)
        ax.set_xlabel(label)


def panel(ax: Axes, *, ticks: int = 5, whole: bool = False, grid: str = "both") -> Axes:
    """Thin grid, small tick labels, at most `ticks` steps on the x axis, at whole numbers if `whole`."""
    ax.tick_params(labelsize=SMALL_SIZE, length=2, width=0.5, pad=2)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=whole))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    ax.grid(True, axis=grid, color="#E5E5E5", linewidth=0.5)
    ax.set_axisbelow(True)
    return ax


def empty(ax: Axes) -> Axes:
    """A panel without frame and numbers; the ticks themselves stay, for they may be shared with other panels."""
    ax.set_axis_off()
    ax.tick_params(labelbottom=False, labelleft=False)
    return ax


def no_values(ax: Axes) -> None:
    """Says in a panel that there is nothing to draw in it."""
    ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", va="center", color="#555555")


def label_rows(ax: Axes, names: Iterable[str], *, width: int = 16) -> Axes:
    """Names at 0, 1, 2, ... of the y axis, from top to bottom, as plain text on at most two lines."""
    names = [wrapped(name, width, lines=2) for name in names]
    ax.set_yticks(range(len(names)), names, parse_math=False, fontsize=SMALL_SIZE)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.5, -0.5)
    return ax


def network_entries(networks: Iterable[Named], styles: Mapping[str, Style]) -> dict[str, Artist]:
    """Legend entries: each network's name, with its role where the name does not say it, and its line."""
    return {
        n.name if n.role in n.name else f"{n.name} ({n.role})": Line2D(
            [],
            [],
            color=styles[n.name].colour,
            marker=styles[n.name].marker,
            linestyle=styles[n.name].line,
            linewidth=1.3,
            markersize=3,
        )
        for n in networks
    }


def page_words(figure: Figure, entries: Mapping[str, Artist], note: str, said: str) -> None:
    """The legend above all panels, and below them the small print: the setting, and what is drawn."""
    page_legend(figure, entries)
    small_print(figure, f"{note} {said}".strip())


def page_legend(figure: Figure, entries: Mapping[str, Artist]) -> None:
    """A legend above all panels, in as many columns as fit into the figure's width."""
    names = [wrapped(name, 34) for name in entries]
    widths = [_HANDLE + _CHARACTER * max(map(len, name.split("\n"))) for name in names]
    fit = (k for k in range(len(names), 1, -1) if _legend_width(widths, k) < figure.get_figwidth() - 0.1)
    legend = figure.legend(
        list(entries.values()),
        ["-"] * len(names),
        loc="outside upper left",
        ncols=next(fit, 1),
        frameon=False,
        fontsize=SMALL_SIZE,
        handlelength=2.4,
        columnspacing=1.0,
        handletextpad=0.5,
        borderpad=0.1,
        labelspacing=0.35,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        plain_text(text, name)


def _legend_width(widths: list[float], columns: int) -> float:
    """Inches; matplotlib fills the columns one after the other, the first ones with what is left over."""
    rows, more = divmod(len(widths), columns)
    ends = [0, *accumulate(rows + (k < more) for k in range(columns))]
    return sum(max(widths[low:high]) for low, high in pairwise(ends))


def small_print(figure: Figure, text: str) -> None:
    """Lines below all panels: what is drawn, n, and what the bands are. No formulas."""
    edge = 0.06
    line = figure.supxlabel(
        "-", x=edge / figure.get_figwidth(), ha="left", fontsize=SMALL_SIZE, color="#444444"
    )
    line.set(linespacing=1.25, multialignment="left")
    most = (
        0.96 * (figure.get_figwidth() - 2 * edge) * figure.dpi
    )  # other resolutions set letters a little wider
    for characters in range(int(1.3 * most / figure.dpi / _CHARACTER), 1, -1):
        plain_text(line, wrapped(text, characters, lines=20))
        if line.get_window_extent().width <= most:
            return


def panel_title(ax: Axes, text: str, *, width: int = 40) -> None:
    """A name above a panel, at its left end, as plain text."""
    plain_text(ax.set_title("-", fontsize=LABEL_SIZE, loc="left", pad=3), wrapped(text, width, lines=2))


def range_text(values: Iterable[float]) -> str:
    """Whole numbers as "40" or "38 to 40"; "0" if there are none."""
    values = sorted({int(v) for v in values if v == v})
    if not values:
        return "0"
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"

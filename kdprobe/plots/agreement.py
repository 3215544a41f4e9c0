"""How far the maps of different explanations agree, network beside network: points with their 95 % intervals."""

from collections.abc import Mapping
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdprobe.errors import InputError
from kdprobe.plots.style import Named, Style, house_style, network_styles, new_figure, plain_text, wrapped
from kdprobe.records import Interval

Rows = Mapping[str, Interval]  #: what stands on a line of the panel -> its value

RANK_LABEL = "Spearman's rank correlation over the cells"
TOP_LABEL = "foreground among the top 10 % of the cells / share"
CHANCE = ("--", "chance")
IMAGE = (":", "|image|, no network")


def interval_rows(ax: Axes, networks: Mapping[str, Rows], styles: Mapping[str, Style]) -> Axes:
    """One line of the panel per row, from top to bottom, and on it a point with its interval per network.

    All networks have the rows of the first. What has no value is left out, what has no interval is a bare point.
    Raises InputError if there is no row or the networks' rows differ.
    """
    rows = list(next(iter(networks.values()), {}))
    if not rows:
        raise InputError("there is no row to draw: give at least one network with one value")
    for name, found in networks.items():
        if list(found) != rows:
            raise InputError(f"network {name!r} has the rows {', '.join(found)}; expected {', '.join(rows)}")
    for k, (name, found) in enumerate(networks.items()):
        shift = 0.6 * ((k + 0.5) / len(networks) - 0.5)
        for y, interval in enumerate(found.values()):
            if not isfinite(interval.value):
                continue
            style = styles[name]
            if isfinite(interval.low) and isfinite(interval.high):
                ax.hlines(y + shift, interval.low, interval.high, color=style.colour, linewidth=1.3)
            ax.plot([interval.value], [y + shift], color=style.colour, marker=style.marker, markersize=4)
    for y in range(1, len(rows)):
        ax.axhline(y - 0.5, color="#E5E5E5", linewidth=0.6, zorder=0)
    ax.set_yticks(range(len(rows)), rows, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(True, axis="x", color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def agreement_figure(
    rank: Mapping[str, Rows], top: Mapping[str, Rows], roles: Mapping[str, str], chance: float, image: float
) -> Figure:
    """Rank correlations of pairs of maps at the left, shares of their top cells on the foreground at the right.

    rank, top: network -> row -> interval; roles: network -> teacher, baseline or student; chance, image: shares for a
    map that says nothing and for |image| itself, drawn as lines.
    """
    styles = network_styles([Named(name, roles[name]) for name in rank])
    longest = max((len(rows) for rows in (*rank.values(), *top.values())), default=0)
    with house_style():
        height = 1.35 + 0.13 * max(3, len(rank)) * max(longest, 2)
        figure = new_figure(9.6, height, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.04)
        left, right = figure.subplots(1, 2)
        interval_rows(left, rank, styles).set_xlabel(RANK_LABEL)
        interval_rows(right, top, styles).set_xlabel(TOP_LABEL)
        left.axvline(0, color="#555555", linewidth=0.8, zorder=0.5)
        for place, (line, _) in ((chance, CHANCE), (image, IMAGE)):
            right.axvline(place, color="#555555", linewidth=1.0, linestyle=line, zorder=0.5)
        right.set_xlim(0, 1)
        _legend(figure, styles)
        counts = sorted({v.n for rows in (*rank.values(), *top.values()) for v in rows.values()})
        n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
        caption = f"Points: mean over the probe images, {n}. Bars: 95 % intervals. All cells of an image are ranked."
        figure.supxlabel(caption, fontsize=7, color="#444444")
    return figure


def _legend(figure: Figure, styles: Mapping[str, Style]) -> None:
    names = [wrapped(name, 34) for name in styles] + [name for _, name in (CHANCE, IMAGE)]
    handles = [
        Line2D([], [], color=s.colour, marker=s.marker, linewidth=1.3, markersize=4) for s in styles.values()
    ]
    handles += [Line2D([], [], color="#555555", linewidth=1.0, linestyle=line) for line, _ in (CHANCE, IMAGE)]
    longest = max(len(line) for name in names for line in name.split("\n"))
    legend = figure.legend(
        handles,
        ["-"] * len(names),
        loc="outside upper center",
        ncols=max(1, min(len(names), int(9.6 / (0.065 * longest + 0.5)))),
        frameon=False,
        handlelength=2.6,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        plain_text(text, name)

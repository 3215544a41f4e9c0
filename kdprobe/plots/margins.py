"""Quality over the margin b, so that no single b decides: lambda and the counts over b, and the area below lambda."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdprobe.errors import InputError
from kdprobe.plots.page import (
    empty,
    label_rows,
    network_entries,
    no_values,
    page_figure,
    page_words,
    panel,
    range_text,
)
from kdprobe.plots.seed_lines import network_line, networks_of, styles_of
from kdprobe.plots.style import Style, page_style
from kdprobe.plots.symbols import page_label
from kdprobe.records import Interval

AREA_LABEL = "mean $\\lambda$ over $b$\n/ share"
MARGIN_METRICS = ("relevance_ratio", "n_foreground", "n_background")


class MarginCurve(NamedTuple):
    """One network over the margins, mean over images and seeds."""

    network: str
    role: str
    margins: Sequence[float]  #: (B,) ascending, nats
    values: Mapping[str, Sequence[float]]  #: metric of MARGIN_METRICS -> (B,)
    seeds: int
    n: Sequence[float]  #: images


def margins_figure(
    curves: Sequence[MarginCurve], areas: Mapping[str, Interval], *, column: str = "two", note: str = ""
) -> Figure:
    """lambda, N_fg and N_bg over b, and the area below lambda divided by the width of the range of b.

    areas: network -> area with its 95 % interval, a mean lambda, 0 ... 1.
    """
    if not curves:
        raise InputError("there is no curve over the margin to draw: give at least one network")
    styles = styles_of(curves)
    with page_style():
        if column == "two":
            figure = page_figure(column, 2.4)
            panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 0.8))
        else:
            figure = page_figure(column, 4.1)
            panels = figure.subplots(2, 2).flatten()
        for ax, metric in zip(panels, MARGIN_METRICS, strict=False):
            panel(ax, ticks=4)
            for curve in curves:
                network_line(ax, curve.margins, curve.values[metric], styles[curve.network])
            if not any(isfinite(value) for curve in curves for value in curve.values[metric]):
                no_values(ax)
            ax.set_xlabel(page_label("margin"))
            ax.set_ylabel(page_label(metric, broken=True))
            if metric != "relevance_ratio":
                ax.set_ylim(bottom=0)
        known = {
            network.name: areas[network.name] for network in networks_of(curves) if network.name in areas
        }
        _area_panel(panels[3], known, styles)
        seeds, n = range_text(c.seeds for c in curves), range_text(n for c in curves for n in c.n)
        said = (
            f"Lines: mean over {n} images and {seeds} seed{'' if seeds == '1' else 's'}. "
            "Points: area below the relevance ratio by the width of the range of b, with 95 % intervals."
        )
        page_words(figure, network_entries(networks_of(curves), styles), note, said)
    return figure


def _area_panel(ax: Axes, areas: Mapping[str, Interval], styles: Mapping[str, Style]) -> None:
    if not areas:
        empty(ax)
        return
    for y, (name, area) in enumerate(areas.items()):
        style = styles[name]
        ax.hlines(y, area.low, area.high, color=style.colour, linewidth=1.3)
        ax.plot([area.value], [y], color=style.colour, marker=style.marker, markersize=4)
    if not any(isfinite(area.value) for area in areas.values()):
        no_values(ax)
    panel(ax, ticks=3, grid="x")
    label_rows(ax, list(areas), width=11)
    ax.set_xlabel(AREA_LABEL)

"""Layers compared: student and baseline at each layer, metric by metric, with the verdict on their difference."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdprobe.errors import InputError
from kdprobe.metrics import CLAIMS
from kdprobe.plots.agreement import interval_rows
from kdprobe.plots.page import (
    label_rows,
    network_entries,
    no_values,
    page_words,
    panel,
    panel_grid,
    range_text,
)
from kdprobe.plots.style import LABEL_SIZE, VERDICT_COLOURS, VERDICT_SIGNS, Named, network_styles, page_style
from kdprobe.plots.symbols import page_label
from kdprobe.records import NO_VALUE, Interval


class LayerComparison(NamedTuple):
    """One metric at one layer, over all seeds."""

    layer: str
    metric: str
    student: Interval
    baseline: Interval
    verdict: str  #: supported, contradicted or undecided


def layers_panel(
    ax: Axes, found: Sequence[LayerComparison], student: str, layers: Sequence[str] | None = None
) -> Axes:
    """One metric: a line per layer, on it baseline and student with their intervals, at the right the verdict.

    layers: from top to bottom, with an empty line for each that `found` lacks (default: those of `found`).
    """
    names = [Named("baseline", "baseline"), Named(student, "student")]
    styles = network_styles(names)
    panel(ax, ticks=4, grid="x")
    rows = {one.layer: one for one in found}
    if len(rows) != len(found):
        raise InputError(f"{found[0].metric} has a layer twice: give one comparison for each layer")
    places = {layer: y for y, layer in enumerate(layers or rows)}
    values = {
        "baseline": {layer: rows[layer].baseline if layer in rows else NO_VALUE for layer in places},
        student: {layer: rows[layer].student if layer in rows else NO_VALUE for layer in places},
    }
    interval_rows(ax, values, styles)
    if not any(isfinite(one.value) for own in values.values() for one in own.values()):
        no_values(ax)
    for one in found:
        ax.text(
            1.02, places[one.layer], VERDICT_SIGNS.get(one.verdict, ""),
            color=VERDICT_COLOURS.get(one.verdict, "black"), transform=ax.get_yaxis_transform(),
            va="center", fontsize=LABEL_SIZE, fontweight="bold",
        )  # fmt: skip
    ax.set_xlabel(page_label(found[0].metric, broken=True))
    return label_rows(ax, places, width=14)


def layers_figure(
    comparisons: Sequence[LayerComparison],
    student: str,
    *,
    seeds: Sequence[float] = (),
    column: str = "two",
    note: str = "",
) -> Figure:
    """A panel for each metric; the layers stand in all of them in the order in which they come."""
    metrics = [m for m in CLAIMS if any(c.metric == m for c in comparisons)]
    if not metrics:
        raise InputError("there is no layer to compare: give at least one comparison")
    layers = list(dict.fromkeys(c.layer for c in comparisons))
    most, high = 3 if column == "two" else 2, 0.6 + 0.3 * max(len(layers), 2)
    with page_style():
        figure, panels, across = panel_grid(column, len(metrics), most, head=0.9, row=high)
        for k, (ax, metric) in enumerate(zip(panels, metrics, strict=True)):
            layers_panel(ax, [c for c in comparisons if c.metric == metric], student, layers)
            if k % across:
                ax.tick_params(labelleft=False)
        names = [Named("baseline", "baseline"), Named(student, "student")]
        entries = network_entries(names, network_styles(names))
        for verdict, sign in VERDICT_SIGNS.items():
            entries[verdict] = Line2D(
                [], [], linestyle="", marker=f"${sign}$", markersize=5, color=VERDICT_COLOURS[verdict]
            )
        n = range_text(i.n for c in comparisons for i in (c.student, c.baseline) if isfinite(i.value))
        count = range_text(seeds)
        over = "over images, one seed" if count == "1" else f"nested in {count} seeds"
        said = f"Bars: 95 % intervals {over}, n = {n} images; signs: student − baseline."
        page_words(figure, entries, note, said)
    return figure

"""Layers compared: student and baseline at each layer, metric by metric, with the verdict on their difference."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdprobe.errors import InputError
from kdprobe.plots.agreement import interval_rows
from kdprobe.plots.page import (
    empty,
    network_entries,
    page_figure,
    page_legend,
    panel,
    range_text,
    small_print,
)
from kdprobe.plots.style import (
    LABEL_SIZE,
    SMALL_SIZE,
    VERDICT_COLOURS,
    VERDICT_SIGNS,
    Named,
    network_styles,
    page_style,
    wrapped,
)
from kdprobe.plots.symbols import PAGE_METRICS, page_label
from kdprobe.records import Interval


class LayerComparison(NamedTuple):
    """One metric at one layer, over all seeds."""

    layer: str
    metric: str
    student: Interval
    baseline: Interval
    verdict: str  #: supported, contradicted or undecided


def layers_panel(ax: Axes, found: Sequence[LayerComparison], student: str) -> Axes:
    """One metric: a line per layer, on it baseline and student with their intervals, at the right the verdict."""
    names = [Named("baseline", "baseline"), Named(student, "student")]
    styles = network_styles(names)
    panel(ax, ticks=4, grid="x")
    rows = {wrapped(one.layer, 14): one for one in found}
    if len(rows) != len(found):
        raise InputError(f"{found[0].metric} has a layer twice: give one comparison for each layer")
    values = {
        "baseline": {layer: one.baseline for layer, one in rows.items()},
        student: {layer: one.student for layer, one in rows.items()},
    }
    interval_rows(ax, values, styles)
    for y, one in enumerate(found):
        ax.text(
            1.02, y, VERDICT_SIGNS.get(one.verdict, ""), color=VERDICT_COLOURS.get(one.verdict, "black"),
            transform=ax.get_yaxis_transform(), va="center", fontsize=LABEL_SIZE, fontweight="bold",
        )  # fmt: skip
    ax.tick_params(axis="y", labelsize=SMALL_SIZE)
    ax.set_xlabel(page_label(found[0].metric, broken=True))
    return ax


def layers_figure(
    comparisons: Sequence[LayerComparison],
    student: str,
    *,
    seeds: Sequence[float] = (),
    column: str = "two",
    note: str = "",
) -> Figure:
    """A panel for each metric; the layers stand in the order in which they come."""
    metrics = [m for m in PAGE_METRICS if any(c.metric == m for c in comparisons)]
    if not metrics:
        raise InputError("there is no layer to compare: give at least one comparison")
    layers = len({c.layer for c in comparisons})
    across = min(len(metrics), 3 if column == "two" else 2)
    down = -(-len(metrics) // across)
    with page_style():
        figure = page_figure(column, 0.9 + down * (0.6 + 0.3 * max(layers, 2)))
        panels = figure.subplots(down, across, squeeze=False).flatten()
        for k, (ax, metric) in enumerate(zip(panels, metrics, strict=False)):
            layers_panel(ax, [c for c in comparisons if c.metric == metric], student)
            if k % across:
                ax.tick_params(labelleft=False)
        for ax in panels[len(metrics) :]:
            empty(ax)
        names = [Named("baseline", "baseline"), Named(student, "student")]
        entries = network_entries(names, network_styles(names))
        for verdict, sign in VERDICT_SIGNS.items():
            entries[verdict] = Line2D(
                [], [], linestyle="", marker=f"${sign}$", markersize=5, color=VERDICT_COLOURS[verdict]
            )
        page_legend(figure, entries)
        n = range_text(i.n for c in comparisons for i in (c.student, c.baseline))
        count = range_text(seeds)
        over = "over images, one seed" if count == "1" else f"nested in {count} seeds"
        said = f"Bars: 95 % intervals {over}, n = {n} images; signs: student − baseline."
        small_print(figure, f"{note} {said}".strip())
    return figure

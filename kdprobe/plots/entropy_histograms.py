"""Entropy of foreground and background cells, with H-bar and the margin below which a cell is a concept."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kdprobe.errors import InputError
from kdprobe.plots.maps import ENTROPY_LABEL
from kdprobe.plots.page import label_lowest, page_words, panel, panel_grid, panel_title
from kdprobe.plots.seed_lines import networks_of, of_seeds, seeds_of
from kdprobe.plots.style import CELL_COLOURS, page_style


class Histogram(NamedTuple):
    """Cells of one network from one seed, counted by their entropy."""

    network: str
    role: str
    seed: str
    cells: str  #: "foreground" or "background"
    edges: tuple[float, ...]  #: (B + 1,) ascending, nats
    counts: tuple[float, ...]  #: (B,)
    baseline_entropy: float  #: H-bar, nats; NaN where every image has its own
    margin: float  #: b, nats


def densities(histogram: Histogram) -> np.ndarray:
    """Share of the cells per nat in each bin, (B,), so that the area is 1; zeros if there is no cell."""
    counts, total = np.asarray(histogram.counts, dtype=float), float(np.sum(histogram.counts))
    return counts / (total or 1.0) / np.diff(histogram.edges)


def mean_density(histograms: Sequence[Histogram]) -> tuple[np.ndarray, np.ndarray]:
    """(edges, densities), (B + 1,) and (B,): the mean over histograms, each 0 beyond its own bins.

    All edges together are the mean's edges, so that nothing is binned anew.
    """
    edges = np.unique(np.round([edge for h in histograms for edge in h.edges], 9))
    middle = (edges[:-1] + edges[1:]) / 2
    each = []
    for h in histograms:
        place = np.searchsorted(h.edges, middle) - 1
        inside = (place >= 0) & (place < len(h.counts))
        each.append(np.where(inside, densities(h)[np.clip(place, 0, len(h.counts) - 1)], 0.0))
    return edges, np.mean(each, axis=0)


def entropy_limits(histograms: Sequence[Histogram]) -> tuple[float, float]:
    """(low, high) that hold all bins and the bound below which cells are concepts, nats."""
    bound = _bound(histograms)
    shown = [edge for h in histograms for edge in h.edges] + [bound] * bool(np.isfinite(bound))
    return min(shown), max(shown)


def _bound(histograms: Sequence[Histogram]) -> float:
    """Mean over the seeds of H-bar - b."""
    return float(np.mean([h.baseline_entropy - h.margin for h in {h.seed: h for h in histograms}.values()]))


def histogram_panel(
    ax: Axes, histograms: Sequence[Histogram], limits: tuple[float, float] | None = None
) -> Axes:
    """One network: a thin step per seed and a filled one for their mean.

    limits: of the axis of entropy, nats; by default those of the bins and of the bound of concepts.
    Dashed: H-bar of each seed; shaded: below the mean H-bar by more than the margin, where a cell is a concept. Where
    every image has an H-bar of its own, no one line parts the concepts from the other cells: there is none.
    """
    panel(ax)
    for cells, colour in CELL_COLOURS.items():
        own = [h for h in histograms if h.cells == cells and len(h.counts)]
        if not own:
            continue
        edges, mean = mean_density(own)
        ax.stairs(mean, edges, fill=True, color=colour, alpha=0.3, linewidth=0)
        ax.stairs(mean, edges, color=colour, linewidth=1.2)
        if len(own) > 1:
            for h in own:
                ax.stairs(densities(h), h.edges, color=colour, linewidth=0.4, alpha=0.6)
    by_seed = {h.seed: h for h in histograms}.values()
    for line in (h.baseline_entropy for h in by_seed if np.isfinite(h.baseline_entropy)):
        ax.axvline(line, color="black", linewidth=0.6, linestyle="--", alpha=0.7)
    bound = _bound(histograms)
    low, high = limits or entropy_limits(histograms)
    if np.isfinite(bound):
        ax.axvspan(low, bound, color="#777777", alpha=0.14, linewidth=0)
        ax.axvline(bound, color="black", linewidth=0.9)
    ax.set_xlim(low, high)
    ax.set_ylim(bottom=0)
    return ax


def entropy_histograms_figure(
    histograms: Sequence[Histogram], *, column: str = "two", note: str = ""
) -> Figure:
    """One panel per network, all on the same axes."""
    networks = [network.name for network in networks_of(histograms)]
    if not networks:
        raise InputError("there are no histograms to draw: give at least one network")
    most, shared = 3 if column == "two" else 2, {"sharex": True, "sharey": True}
    with page_style():
        figure, panels, across = panel_grid(column, len(networks), most, head=0.95, row=1.5, **shared)
        each = [[h for h in histograms if h.network == name] for name in networks]
        low, high = zip(*map(entropy_limits, each), strict=True)
        for ax, name, own in zip(panels, networks, each, strict=True):
            histogram_panel(ax, own, (min(low), max(high)))
            panel_title(ax, name, width=28)
        label_lowest(panels, across, ENTROPY_LABEL)
        for ax in panels[::across]:
            ax.set_ylabel("density / nats⁻¹")
        page_words(figure, _entries(histograms), note, _words(histograms))
    return figure


def _entries(histograms: Sequence[Histogram]) -> dict[str, Artist]:
    entries = {f"{cells} cells": Patch(facecolor=colour, alpha=0.5) for cells, colour in CELL_COLOURS.items()}
    if all(np.isnan(h.baseline_entropy) for h in histograms):
        return entries
    each = "H̄ of each seed" if seeds_of(histograms) > 1 else "H̄"
    entries[each] = Line2D([], [], color="black", linewidth=0.8, linestyle="--")
    entries[f"H̄ − b{of_seeds(histograms)}"] = Line2D([], [], color="black", linewidth=0.9)
    entries["concepts: H < H̄ − b"] = Patch(facecolor="#777777", alpha=0.2)
    return entries


def _words(histograms: Sequence[Histogram]) -> str:
    seeds = seeds_of(histograms)
    margin = f"Margin b = {' or '.join(f'{b:g}' for b in sorted({h.margin for h in histograms}))} nats."
    cells = sorted({int(sum(h.counts)) for h in histograms})
    n = f"{cells[0]}" if len(cells) == 1 else f"{cells[0]} to {cells[-1]}"
    thin = f" Thin: each of {seeds} seeds; filled: their mean." if seeds > 1 else ""
    own = ""
    if any(np.isnan(h.baseline_entropy) for h in histograms):
        own = " No bound is drawn below which a cell is a concept: every image has an H̄ of its own."
    return f"Last epoch, all images; {n} cells in a histogram, each of area 1. {margin}{thin}{own}"

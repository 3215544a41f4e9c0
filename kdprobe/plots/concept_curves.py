"""Concepts over epochs and over weight distance, seed by seed, with the epoch at which most were held."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdprobe.errors import InputError
from kdprobe.plots.page import network_entries, page_figure, page_words, panel
from kdprobe.plots.seed_lines import SeedLine, lines_text, mean_line, networks_of, seed_lines, styles_of
from kdprobe.plots.style import page_style
from kdprobe.plots.symbols import page_label

COURSES = ("n_foreground", "n_background", "relevance_ratio")
PLACES = ("epoch", "path")
PEAK = "epoch of most foreground concepts"


def peaks_of(lines: Sequence[SeedLine]) -> dict[str, float]:
    """Network -> first epoch k >= 1 at which the mean over the seeds is greatest; networks without one are left out."""
    found = {}
    for name in dict.fromkeys(line.network for line in lines):
        mean = mean_line([line for line in lines if line.network == name])
        known = [(y, k) for y, k in zip(mean.y, mean.epochs, strict=True) if k >= 1 and np.isfinite(y)]
        if len(known) > 1:
            found[name] = max(known, key=lambda point: point[0])[1]
    return found


def course_panel(
    ax: Axes, lines: Sequence[SeedLine], metric: str, place: str, peaks: Mapping[str, float]
) -> Axes:
    """One metric over epochs or weight distance (place: "epoch" or "path"), peaks ringed."""
    seed_lines(panel(ax, whole=place == "epoch"), lines, styles_of(lines), marks=peaks)
    ax.set_xlabel(page_label(place, broken=place == "path"))
    ax.set_ylabel(page_label(metric, broken=True))
    if metric != "relevance_ratio":
        ax.set_ylim(bottom=0)
    return ax


def concept_curves_figure(
    courses: Mapping[tuple[str, str], Sequence[SeedLine]], *, column: str = "two", note: str = ""
) -> Figure:
    """N_fg, N_bg, lambda over epochs and over weight distance: 2 x 3 panels on two columns, 3 x 2 on one.

    courses: (metric, "epoch" or "path") -> lines, for the metrics of COURSES; note: what the setting is, in words.
    """
    wanted = [(metric, place) for metric in COURSES for place in PLACES]
    missing = [key for key in wanted if not courses.get(key)]
    if missing:
        raise InputError(
            f"there are no curves of {missing[0][0]} over {missing[0][1]}: give lines for every panel"
        )
    peaks = peaks_of(courses["n_foreground", "epoch"])
    lines = [line for key in wanted for line in courses[key]]
    with page_style():
        tall = column == "one"
        figure = page_figure(column, 5.6 if tall else 3.9)
        if tall:
            panels = figure.subplots(3, 2, sharex="col", sharey="row")
        else:
            panels = figure.subplots(2, 3, sharex="row", sharey="col").T
        for row, metric in zip(panels, COURSES, strict=True):
            for ax, place in zip(row, PLACES, strict=True):
                course_panel(ax, courses[metric, place], metric, place, peaks)
                if tall and place != PLACES[0]:
                    ax.set_ylabel("")
                if tall and metric != COURSES[-1]:
                    ax.set_xlabel("")
        figure.align_ylabels()
        entries = network_entries(networks_of(lines), styles_of(lines))
        if peaks:
            ring = Line2D([], [], marker="o", markersize=6, color="none", markeredgecolor="#555555")
            entries[PEAK] = ring
        page_words(figure, entries, note, lines_text(lines))
    return figure

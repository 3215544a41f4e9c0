"""Which differences survive which choice: student - baseline under every setting, metric beside metric."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kdprobe.errors import InputError
from kdprobe.metrics import CLAIMS, METRICS
from kdprobe.plots.page import no_values, page_words, panel, panel_grid, range_text
from kdprobe.plots.style import SMALL_SIZE, VERDICT_COLOURS, page_style, wrapped
from kdprobe.plots.symbols import MATH, unit

MARKERS = {"supported": "^", "contradicted": "v", "undecided": "o"}
_ROW = 0.125  #: inches


class Sensitivity(NamedTuple):
    """One difference under one setting of one choice."""

    choice: str
    setting: str
    metric: str
    difference: float  #: student - baseline, in the metric's unit
    low: float  #: 95 % interval
    high: float
    verdict: str  #: supported, contradicted or undecided
    is_default: bool


def choice_rows(found: Sequence[Sensitivity]) -> list[tuple[str, str]]:
    """(choice, setting) from top to bottom; (choice, "") is the heading of a choice."""
    rows = []
    for choice in dict.fromkeys(one.choice for one in found):
        settings = dict.fromkeys(one.setting for one in found if one.choice == choice)
        rows += [(choice, ""), *((choice, setting) for setting in settings)]
    return rows


def sensitivity_panel(
    ax: Axes, found: Sequence[Sensitivity], metric: str, rows: Sequence[tuple[str, str]]
) -> Axes:
    """One metric: a point with its interval per setting, its form the verdict; rows of the default are shaded."""
    panel(ax, ticks=3, grid="x")
    ax.axvline(0, color="#555555", linewidth=0.7, zorder=0.5)
    for y, row in enumerate(rows):
        if any((one.choice, one.setting) == row and one.is_default for one in found):
            ax.axhspan(y - 0.5, y + 0.5, color="#EFE3C2", linewidth=0, zorder=0.2)
    known = [one for one in found if one.metric == metric and isfinite(one.difference)]
    if not known:
        no_values(ax)
    for one in known:
        y, colour = rows.index((one.choice, one.setting)), VERDICT_COLOURS.get(one.verdict, "black")
        if isfinite(one.low) and isfinite(one.high):
            ax.hlines(y, one.low, one.high, color=colour, linewidth=1.0)
        filled = colour if one.verdict != "undecided" else "white"
        ax.plot(
            [one.difference],
            [y],
            marker=MARKERS.get(one.verdict, "o"),
            markersize=3.4,
            color=colour,
            markerfacecolor=filled,
        )
    ax.set_ylim(len(rows) - 0.5, -0.5)
    better = "→ better" if METRICS[metric].higher_is_better else "better ←"
    ax.set_xlabel(f"{MATH[metric]} / {_short_unit(metric)}\n{better}", fontsize=SMALL_SIZE)
    ax.set_yticks(range(len(rows)), [""] * len(rows))
    ax.tick_params(axis="y", length=0)
    return ax


def sensitivity_figure(
    found: Sequence[Sensitivity],
    seeds: Sequence[float],
    n: Sequence[float],
    *,
    column: str = "two",
    note: str = "",
) -> Figure:
    """A column of differences for each metric; on one column of a page, three metrics beside each other.

    seeds, n: numbers of seeds and images behind the differences at the default.
    """
    metrics = [m for m in CLAIMS if any(one.metric == m for one in found)]
    if not metrics:
        raise InputError(
            "there is no difference to draw: give at least one metric of kdprobe.metrics.METRICS"
        )
    rows = choice_rows(found)
    most, high = 6 if column == "two" else 3, 0.55 + _ROW * len(rows)
    with page_style():
        figure, panels, across = panel_grid(column, len(metrics), most, head=0.9, row=high)
        for k, (ax, metric) in enumerate(zip(panels, metrics, strict=True)):
            sensitivity_panel(ax, found, metric, rows)
            if k % across == 0:
                _name_rows(ax, rows)
        entries = {
            verdict: Line2D(
                [], [], color=VERDICT_COLOURS[verdict], marker=marker, markersize=4, linewidth=1.0,
                markerfacecolor=VERDICT_COLOURS[verdict] if verdict != "undecided" else "white",
            )
            for verdict, marker in MARKERS.items()
        }  # fmt: skip
        entries["default"] = Patch(facecolor="#EFE3C2")
        over = "one seed" if range_text(seeds) == "1" else f"{range_text(seeds)} seeds"
        said = (
            "Student − baseline under each setting, all else at its default; bars: 95 % intervals. "
            f"At the default {over}, n = {range_text(n)} images."
        )
        page_words(figure, entries, note, said)
    return figure


def _name_rows(ax: Axes, rows: Sequence[tuple[str, str]]) -> None:
    names = [wrapped(setting or choice, 20, 1) for choice, setting in rows]
    ax.set_yticks(range(len(rows)), names, parse_math=False, fontsize=SMALL_SIZE)
    for label, (_, setting) in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("normal" if setting else "bold")


def _short_unit(metric: str) -> str:
    return unit(metric).replace("initial weight norms", r"$\|w_0\|$")

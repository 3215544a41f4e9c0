"""What a network shares with its teacher: overlap of the concepts over training, and who had each first."""

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kdprobe.errors import InputError
from kdprobe.plots.page import (
    empty,
    label_rows,
    network_entries,
    page_figure,
    page_words,
    panel,
    panel_title,
)
from kdprobe.plots.seed_lines import (
    SeedLine,
    dotted_lines,
    lines_text,
    mean_line,
    networks_of,
    of_seeds,
    seed_lines,
    styles_of,
)
from kdprobe.plots.style import BLUE, GREEN, PURPLE, SKY, Style, page_style
from kdprobe.plots.symbols import page_label

#: Share of the union of what either holds at its last epoch -> (words, colour, hatch).
FIRST = {
    "student_first": ("network first", BLUE, ""),
    "together": ("both at one epoch", GREEN, ""),
    "teacher_first": ("teacher first", "#555555", ""),
    "student_alone": ("network alone", SKY, "////"),
    "teacher_alone": ("teacher alone", "#CCCCCC", "////"),
}
#: Where the teacher has one epoch alone, the parts in which somebody was first become one.
SHARED = {"shared": ("both, order unknown", PURPLE, "")}


class Firsts(NamedTuple):
    """One network from one seed: shares of the cells by who had them first."""

    network: str
    role: str
    seed: str
    shares: Mapping[str, float]  #: key of FIRST or SHARED -> share, 0 ... 1; NaN where it is not known


def firsts_panel(ax: Axes, firsts: Sequence[Firsts]) -> Axes:
    """One bar per network, mean over its seeds, in the parts of SHARED and FIRST from left to right."""
    names = [network.name for network in networks_of(firsts)]
    panel(ax, grid="x")
    for y, name in enumerate(names):
        left = 0.0
        for key, (_, colour, hatch) in {**SHARED, **FIRST}.items():
            width = float(np.mean([f.shares.get(key, nan) for f in firsts if f.network == name]))
            if isfinite(width):
                ax.barh(
                    y,
                    width,
                    left=left,
                    height=0.6,
                    color=colour,
                    hatch=hatch,
                    edgecolor="white",
                    linewidth=0.5,
                )
                left += width
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the cells of either's last epoch")
    return label_rows(ax, names)


def overlap_figure(
    lines: Mapping[str, Sequence[SeedLine]],
    firsts: Mapping[str, Sequence[Firsts]],
    chance: Mapping[str, Sequence[SeedLine]] | None = None,
    still: Mapping[str, Sequence[SeedLine]] | None = None,
    *,
    column: str = "two",
    note: str = "",
) -> Figure:
    """IoU with the teacher's last epoch over epochs, and who was first: one row of panels for each kind of cells.

    lines, firsts: "foreground", "background" -> records; a kind of cells without firsts has an empty right panel;
    chance: likewise, the overlap of sets of the same sizes laid at random, drawn dotted. still: likewise, a network's
    overlap with itself measured twice, which noise keeps below 1; drawn as a short bar.
    """
    kinds = [cells for cells, found in lines.items() if found]
    if not kinds:
        raise InputError("there is no overlap to draw: give at least one line")
    everyone = [line for cells in kinds for line in lines[cells]]
    styles = styles_of(everyone)
    bars = max(len(networks_of(firsts.get(cells, ()))) for cells in kinds)
    with page_style():
        if column == "two":
            figure = page_figure(column, 0.95 + 1.6 * len(kinds))
            panels = figure.subplots(len(kinds), 2, sharex="col", squeeze=False)
        else:
            figure = page_figure(column, 1.3 + len(kinds) * (2.3 + 0.24 * bars))
            high = [r for _ in kinds for r in (1.6, 0.4 + 0.26 * bars)]
            panels = figure.subplots(2 * len(kinds), 1, height_ratios=high).reshape(-1, 2)
        for (left, right), cells in zip(panels, kinds, strict=True):
            seed_lines(panel(left, whole=True), lines[cells], styles)
            dotted_lines(left, (chance or {}).get(cells, ()), styles)
            _still_marks(left, (still or {}).get(cells, ()), styles)
            left.set_ylim(0, 1)
            left.set_ylabel("IoU with the teacher's last\nconcepts / share")
            left.set_xlabel(page_label("epoch"))
            panel_title(left, f"cells of the {cells}")
            if firsts.get(cells):
                firsts_panel(right, firsts[cells])
            else:
                empty(right)
        if column == "two":
            for ax in panels[:-1].flatten():
                ax.set_xlabel("")
        entries = network_entries(networks_of(everyone), styles)
        shares = [f.shares for own in firsts.values() for f in own]
        for key, (words, colour, hatch) in {**SHARED, **FIRST}.items():
            if not any(isfinite(own.get(key, nan)) for own in shares):
                continue
            entries[words] = Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.5)
        said, mean = lines_text(everyone), of_seeds(everyone)
        if chance:
            said += f" Dotted{mean}: sets of the same sizes at random."
        if any((still or {}).values()):
            said += f" Short bars{mean}: a network with itself, measured twice."
        page_words(figure, entries, note, f"{said} Bars: who held a concept first, mean of the seeds.")
    return figure


def _still_marks(ax: Axes, lines: Sequence[SeedLine], styles: Mapping[str, Style]) -> None:
    for network in networks_of(lines):
        mean = mean_line([line for line in lines if line.network == network.name])
        colour = styles[network.name].colour
        ax.plot(mean.x, mean.y, color=colour, linestyle="none", marker="_", markersize=8, markeredgewidth=1.2)

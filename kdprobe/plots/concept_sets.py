"""Concepts learned, kept and discarded as nested discs whose areas are numbers of cells."""

from collections.abc import Sequence
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch

from kdprobe.errors import InputError
from kdprobe.plots.page import WIDTHS, empty, page_figure, page_words, range_text
from kdprobe.plots.seed_lines import networks_of, seeds_of
from kdprobe.plots.style import CELL_COLOURS, SMALL_SIZE, page_style, plain_text, wrapped
from kdprobe.records.numbers import number


class ConceptSets(NamedTuple):
    """One network from one seed: mean numbers of cells per image."""

    network: str
    role: str
    seed: str
    cells: str  #: "foreground" or "background"
    learned: float  #: held at any epoch
    kept: float  #: of these, held at the last epoch
    discarded: float  #: the others
    n: float  #: images
    rho: float = float("nan")  #: mean share kept, 0 ... 1


def sets_panel(ax: Axes, sets: Sequence[ConceptSets], *, largest: float) -> Axes:
    """The discs of one network and one kind of cells, means over its seeds, and below them the numbers.

    The outer disc's area is what was learned, the inner one's what was kept, so that the ring is what was
    discarded; `largest`: the number of cells whose disc fills the panel.
    """
    learned, kept, discarded, rho = (
        float(np.mean([getattr(s, key) for s in sets])) for key in ("learned", "kept", "discarded", "rho")
    )
    colour = CELL_COLOURS.get(sets[0].cells, "#777777")
    for size, alpha in ((learned, 0.3), (kept, 0.9)):
        if isfinite(size) and size > 0 and largest > 0:
            radius = sqrt(size / largest)
            ax.add_patch(Circle((0, radius - 1), radius, facecolor=colour, alpha=alpha, linewidth=0))
    below = f"learned {number(learned, 1)}\nkept {number(kept, 1)}\ndiscarded {number(discarded, 1)}"
    if isfinite(rho):
        each = [s.rho for s in sets]
        seeds = f" ({number(min(each), 2)}–{number(max(each), 2)})" if len(each) > 1 else ""
        below += f"\nρ = {number(rho, 2)}{seeds}"
    ax.text(0, -1.08, below, ha="center", va="top", fontsize=SMALL_SIZE, linespacing=1.3)
    ax.set_xlim(-1.15, 1.15)
    ax.set_ylim(-2.35, 1.02)
    ax.set_aspect("equal")
    return empty(ax)


def concept_sets_figure(sets: Sequence[ConceptSets], *, column: str = "two", note: str = "") -> Figure:
    """A pair of discs for each network and kind of cells, all on one scale of area; each kind in rows of its own
    unless all stand in one row.
    """
    networks = [network.name for network in networks_of(sets)]
    kinds = list(dict.fromkeys(s.cells for s in sets))
    if not networks:
        raise InputError("there are no sets to draw: give at least one network")
    groups = {
        (cells, name): [s for s in sets if s.cells == cells and s.network == name]
        for cells in kinds
        for name in networks
    }
    groups = {key: own for key, own in groups.items() if own}
    sizes = [float(np.mean([s.learned for s in group])) for group in groups.values()]
    rows = _rows(list(groups), 3 if column == "one" else 6)
    across = max(map(len, rows))
    with page_style():
        figure = page_figure(column, 0.8 + len(rows) * (0.3 + 1.42 * min(WIDTHS[column] / across, 1.2)))
        panels = figure.subplots(len(rows), across, squeeze=False)
        for ax in panels.flatten():
            empty(ax)
        for line, row in zip(panels, rows, strict=True):
            for ax, key in zip(line, row, strict=False):
                sets_panel(ax, groups[key], largest=max(filter(isfinite, sizes), default=0.0))
                plain_text(ax.set_title("-", pad=3), wrapped(key[1], 15, 2))
        entries = {}
        for cells in kinds:
            colour = CELL_COLOURS.get(cells, "#777777")
            entries[f"{cells}: kept to the last epoch"] = Patch(facecolor=colour, alpha=0.9)
            entries[f"{cells}: learned and discarded"] = Patch(facecolor=colour, alpha=0.3)
        page_words(figure, entries, note, _words(sets))
    return figure


def _rows(keys: list[tuple[str, str]], most: int) -> list[list[tuple[str, str]]]:
    """(cells, network) in rows of at most `most`, a row for each kind of cells where they need more than one."""
    if len(keys) <= most:
        return [keys]
    kinds = [[key for key in keys if key[0] == cells] for cells in dict.fromkeys(cells for cells, _ in keys)]
    return [own[k : k + most] for own in kinds for k in range(0, len(own), most)]


def _words(sets: Sequence[ConceptSets]) -> str:
    seeds, n = seeds_of(sets), range_text(s.n for s in sets)
    each = f"{n} images of each of {seeds} seeds" if seeds > 1 else f"{n} images, one seed"
    brackets = " In brackets: least and greatest seed." if seeds > 1 else ""
    return (
        f"Areas and numbers: concept cells, mean over {each}. ρ: mean share of an image's concepts that is "
        f"kept.{brackets}"
    )

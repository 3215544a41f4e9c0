"""Detours: foreground concepts gained and lost from epoch to epoch, held, and held at least once."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from kdprobe.errors import InputError
from kdprobe.plots.page import network_entries, page_figure, page_words, panel
from kdprobe.plots.seed_lines import (
    SeedLine,
    dotted_lines,
    lines_text,
    networks_of,
    of_seeds,
    seed_lines,
    styles_of,
)
from kdprobe.plots.style import page_style
from kdprobe.plots.symbols import page_label

KINDS = {
    "gained": "gained in an epoch / cells",
    "lost": "lost in an epoch / cells",
    "present": "present / cells",
    "ever": "ever present / cells",
}


def detours_figure(
    lines: Mapping[str, Sequence[SeedLine]],
    still: Mapping[str, Sequence[SeedLine]] | None = None,
    *,
    cells: str = "foreground",
    column: str = "two",
    note: str = "",
) -> Figure:
    """Concepts gained and lost at each epoch and, below, those present and ever present; mean cells an image.

    lines: "gained", "lost", "present", "ever" -> lines over epochs; gains and losses share a scale, and so do the rest.
    still: likewise, what noise alone would show of maps that never change, drawn dotted.
    """
    still = still or {}
    missing = [kind for kind in KINDS if not lines.get(kind)]
    if missing:
        raise InputError(f"there are no lines of {missing[0]!r}: give gained, lost, present and ever")
    everyone = [line for kind in KINDS for line in lines[kind]]
    styles = styles_of(everyone)
    with page_style():
        if column == "two":
            figure = page_figure(column, 2.3)
            panels = figure.subplots(1, 4, sharex=True)
        else:
            figure = page_figure(column, 3.9)
            panels = figure.subplots(2, 2, sharex=True).flatten()
        for one, other in ((0, 1), (2, 3)):
            panels[other].sharey(panels[one])
        for ax, (kind, label) in zip(panels, KINDS.items(), strict=True):
            seed_lines(panel(ax, whole=True), lines[kind], styles)
            dotted_lines(ax, still.get(kind, ()), styles)
            ax.set_ylabel(label)
            if column == "two" or kind in ("present", "ever"):
                ax.set_xlabel(page_label("epoch"))
        for ax in (panels[0], panels[2]):
            ax.set_ylim(bottom=0)
        said = f"Concept cells on the {cells}. {lines_text(everyone)}"
        if any(still.values()):
            said += f" Dotted{of_seeds(everyone)}: maps that never change, under the estimator's noise."
        page_words(figure, network_entries(networks_of(everyone), styles), note, said)
    return figure

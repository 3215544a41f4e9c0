"""Colours, markers and fonts of the house: safe for colour-blind readers and for grey paper."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import NamedTuple

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kdprobe.records import NetworkSummary

#: Okabe and Ito's palette (https://jfly.uni-koeln.de/color/) without its yellow, too pale for lines.
BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#000000",
)
CELL_COLOURS = {"foreground": BLUE, "background": ORANGE}
VERDICT_COLOURS = {"supported": "#00664B", "contradicted": "#A33F00", "undecided": "#555555"}
VERDICT_SIGNS = {"supported": "✓", "contradicted": "✗", "undecided": "?"}

HOUSE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "pdf.fonttype": 42,  # embed TrueType: text stays text, and publishers accept it
    "pdf.compression": 6,
    "svg.hashsalt": "kdprobe",
    "savefig.bbox": None,
}
#: Points of the labels and of all smaller text in figures for a printed page.
LABEL_SIZE, SMALL_SIZE = 7.0, 6.0
PAGE = {
    **HOUSE,
    "font.size": LABEL_SIZE,
    "axes.labelsize": LABEL_SIZE,
    "axes.titlesize": LABEL_SIZE,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "legend.fontsize": SMALL_SIZE,
    "axes.linewidth": 0.6,
}


class Named(NamedTuple):
    """What decides on a network's style."""

    name: str
    role: str  #: teacher, baseline or student


class Style(NamedTuple):
    """How one network is drawn in every panel."""

    colour: str
    marker: str
    line: str


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's defaults and the house's settings, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", HOUSE]):
        yield


@contextmanager
def page_style() -> Iterator[None]:
    """The house's settings with the smaller text of a printed page."""
    with matplotlib.style.context(["default", PAGE]):
        yield


def network_styles(networks: Sequence[NetworkSummary | Named]) -> dict[str, Style]:
    """One style per network name: teachers black, dotted; baselines orange, dashed; students coloured."""
    own = {"teacher": [BLACK, "#7F7F7F"], "baseline": [ORANGE, "#8C6100"]}
    students = [BLUE, GREEN, PURPLE, VERMILION, SKY]
    markers = {"teacher": "sX", "baseline": "oP"}
    lines = {"teacher": ":", "baseline": "--"}
    seen: dict[str, int] = {}
    styles = {}
    for network in networks:
        k = seen.get(network.role, 0)
        seen[network.role] = k + 1
        colours = own.get(network.role, students)
        shapes = markers.get(network.role, "^Dv<>")
        styles[network.name] = Style(
            colours[k % len(colours)], shapes[k % len(shapes)], lines.get(network.role, "-")
        )
    return styles


def new_figure(width: float, height: float, **options) -> Figure:
    """An empty white figure of `width` x `height` inches with an Agg canvas."""
    figure = Figure(figsize=(width, height), facecolor="white", **options)
    FigureCanvasAgg(figure)
    return figure


def wrapped(name: str, width: int, lines: int = 4) -> str:
    """`name` on at most `lines` lines of `width` characters; what is too long ends in an ellipsis."""
    clean = "".join(c if c.isprintable() else "?" for c in name)
    parts = wrap(clean, width, break_on_hyphens=True) or [""]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], parts[lines - 1][: width - 1] + "…"]
    return "\n".join(parts)


def plain_text(artist, text: str):
    """Put `text` into a matplotlib text as it stands: a `$` in a name is no formula."""
    artist.set_parse_math(False)
    artist.set_text(text)
    return artist

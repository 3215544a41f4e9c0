"""How near the solvers come to the published procedure, against what they cost: one panel for each trained network."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from kdprobe.errors import InputError
from kdprobe.plots.style import BLACK, BLUE, GREEN, ORANGE, house_style, new_figure, plain_text, wrapped

WORK_LABEL = "forward and backward passes an image"
OFF_LABEL = "difference to a single run of sgd, rms / nats"
FLOOR = "sgd against another run of sgd"


class Point(NamedTuple):
    """One solver at one budget."""

    solver: str
    work: float  #: passes an image
    off: float  #: nats


_COLOURS = (BLUE, ORANGE, GREEN)
_MARKERS = ("o", "s", "^")


def work_panel(ax: Axes, points: Sequence[Point], floor: Point) -> Axes:
    """Difference against work, both axes logarithmic; points of one solver are joined in the order of their work.

    floor: two runs of the published procedure against each other, drawn as a line, its work as the line's end.
    """
    if not points:
        raise InputError("there is no point to draw: give at least one solver")
    for k, solver in enumerate(dict.fromkeys(point.solver for point in points)):
        own = sorted((p for p in points if p.solver == solver), key=lambda p: p.work)
        ax.plot(
            [p.work for p in own],
            [p.off for p in own],
            color=_COLOURS[k % len(_COLOURS)],
            marker=_MARKERS[k % len(_MARKERS)],
            markersize=4,
            linewidth=1.2,
        )
    ax.axhline(floor.off, color=BLACK, linewidth=1.0, linestyle="--", zorder=0.5)
    ax.plot([floor.work], [floor.off], color=BLACK, marker="D", markersize=4, linestyle="none")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.grid(True, which="major", color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    return ax


def work_figure(cases: Mapping[str, tuple[Sequence[Point], Point]], caption: str) -> Figure:
    """A panel for each case: its name -> (points, floor); all panels share the axis of work."""
    columns = min(3, len(cases))
    rows = -(-len(cases) // columns)
    with house_style():
        figure = new_figure(max(3.2 * columns, 6.4), 2.5 * rows + 0.9, layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True).flatten()
        for ax, (name, (points, floor)) in zip(panels, cases.items(), strict=False):
            work_panel(ax, points, floor)
            plain_text(ax.set_title("-", fontsize=8), wrapped(name, 44, lines=2))
        for ax in panels[len(cases) :]:
            ax.set_axis_off()
        for ax in panels[: len(cases)][-columns:]:  # the lowest of every column, also above an empty place
            ax.tick_params(labelbottom=True)
        figure.supxlabel(f"{WORK_LABEL}\n{caption}", fontsize=8)
        figure.supylabel(OFF_LABEL, fontsize=8)
        solvers = list(dict.fromkeys(p.solver for points, _ in cases.values() for p in points))
        handles = [
            Line2D([], [], color=_COLOURS[k % 3], marker=_MARKERS[k % 3], markersize=4)
            for k in range(len(solvers))
        ]
        handles.append(Line2D([], [], color=BLACK, linestyle="--", marker="D", markersize=4, linewidth=1.0))
        figure.legend(
            handles, [*solvers, FLOOR], loc="outside upper center", ncols=min(4, len(handles)), frameon=False
        )
    return figure

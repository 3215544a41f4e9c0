"""How a metric of every network moves over training, with its 95 % band."""

from collections.abc import Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from kdprobe.errors import InputError
from kdprobe.plots.concept_curves import COURSES
from kdprobe.plots.style import Style, house_style, network_styles, new_figure, plain_text, wrapped
from kdprobe.plots.symbols import axis_label
from kdprobe.records import ExperimentSummary, NetworkSummary

X_LABELS = {
    "epoch": "training epoch $k$",
    "path": r"weight distance $\Sigma_{j\leq k}\,\|w_j-w_{j-1}\|$ / $\|w_0\|$",
}


def curves(ax: Axes, networks: Sequence[NetworkSummary], metric: str, x: str = "epoch") -> Axes:
    """Draw one line with its band per network into `ax`.

    metric: a key of every network's `curves`; x: "epoch", or "path" for the cumulative weight distance in
    units of the norm of the initial weights. Missing values leave gaps. Raises InputError for another metric
    or x.
    """
    if x not in X_LABELS:
        raise InputError(f"x must be 'epoch' or 'path', got {x!r}")
    for network in networks:
        if metric not in network.curves:
            known = ", ".join(sorted(network.curves)) or "none"
            raise InputError(f"network {network.name!r} has no curve {metric!r}; it has: {known}")
    styles = network_styles(networks)
    drawn = [_line(ax, network, metric, x, styles[network.name]) for network in networks]
    if not any(drawn):
        ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", va="center", color="#555555")
    ax.set_xlabel(X_LABELS[x])
    ax.set_ylabel(axis_label(metric))
    if x == "epoch":
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    if metric != "relevance_ratio":
        ax.set_ylim(bottom=0)
    ax.grid(True, color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def _line(ax: Axes, network: NetworkSummary, metric: str, x: str, style: Style) -> bool:
    points = network.curves[metric]
    places = network.epochs if x == "epoch" else network.path
    values = [point.value for point in points]
    low, high = [p.low for p in points], [p.high for p in points]
    ax.fill_between(places, low, high, color=style.colour, alpha=0.18, linewidth=0)
    ax.plot(
        places,
        values,
        color=style.colour,
        marker=style.marker,
        linestyle=style.line,
        linewidth=1.3,
        markersize=3.5,
    )
    for k, place in enumerate(places):  # a point without neighbours has no band: give it a bar
        beside = values[max(0, k - 1) : k] + values[k + 1 : k + 2]
        if isfinite(values[k]) and not any(isfinite(value) for value in beside):
            ax.vlines(place, low[k], high[k], color=style.colour, alpha=0.5, linewidth=2.5)
    return any(isfinite(value) for value in values)


def curves_figure(summary: ExperimentSummary, *, tall: bool = False) -> Figure:
    """N_fg, N_bg, lambda of all networks over epochs and weight path: 2 x 3 panels, or 3 x 2 if `tall`."""
    networks = summary.networks
    if not networks:
        raise InputError("the summary holds no network: there is nothing to draw")
    with house_style():
        size = (5.0, 7.4) if tall else (9.6, 5.4)
        figure = new_figure(*size, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.02, hspace=0.03)
        if tall:
            panels = figure.subplots(3, 2, sharex="col", sharey="row").T
        else:
            panels = figure.subplots(2, 3, sharex="row", sharey="col")
        for row, x in zip(panels, ("epoch", "path"), strict=True):
            for ax, metric in zip(row, COURSES, strict=True):
                curves(ax, networks, metric, x)
                if tall and x == "path":
                    ax.set_ylabel("")
                if tall and metric != COURSES[-1]:
                    ax.set_xlabel("")
        figure.align_ylabels()
        _legend(figure, networks, size[0])
        figure.supxlabel(_caption(networks, "\n" if tall else " "), fontsize=7, color="#444444")
    return figure


def _legend(figure: Figure, networks: Sequence[NetworkSummary], width: float) -> None:
    styles = network_styles(networks)
    names = [wrapped(n.name if n.role in n.name else f"{n.name} ({n.role})", 34) for n in networks]
    longest = max(len(line) for name in names for line in name.split("\n"))
    columns = max(1, min(len(names), int(width / (0.075 * longest + 0.55))))
    handles = [
        Line2D([], [], color=s.colour, marker=s.marker, linestyle=s.line, linewidth=1.3, markersize=4)
        for s in (styles[network.name] for network in networks)
    ]
    legend = figure.legend(
        handles,
        ["-"] * len(names),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        handlelength=2.6,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        plain_text(text, name)


def _caption(networks: Sequence[NetworkSummary], gap: str) -> str:
    counts = [p.n for network in networks for metric in COURSES for p in network.curves[metric] if p.n > 0]
    if not counts:
        return "no image has a value"
    n = f"n = {min(counts)}" if min(counts) == max(counts) else f"n = {min(counts)} to {max(counts)}"
    return f"Lines: mean over the probe images, {n} at each point.{gap}Bands: 95 % intervals."

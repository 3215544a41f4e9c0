"""The metrics of all networks and the differences student - baseline, as a picture."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdprobe.errors import InputError
from kdprobe.plots.style import (
    VERDICT_COLOURS,
    VERDICT_SIGNS,
    house_style,
    new_figure,
    plain_text,
    wrapped,
)
from kdprobe.plots.symbols import MATH, METRIC_NAMES, TITLES, direction, unit
from kdprobe.records import Comparison, ExperimentSummary, NetworkSummary
from kdprobe.records.numbers import MISSING, interval_text

# Inches.
_LABEL, _COLUMN, _ROW, _LINE, _TITLE, _GAP, _EDGE = 2.4, 1.72, 0.37, 0.15, 0.26, 0.2, 0.12


def metrics_table(ax: Axes, networks: Sequence[NetworkSummary], comparisons: Sequence[Comparison]) -> Axes:
    """Two blocks: value, 95 % interval and n per network; difference, interval, n and verdict per pair.

    `ax` should have the size that `table_figure` gives it: the rows keep their height in its units.
    """
    pairs = list(dict.fromkeys((c.student, c.baseline) for c in comparisons))
    width, height = _size(networks, comparisons)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.axis("off")
    y = _heading(
        ax, 0.0, width, "Metrics after the last analysed epoch: mean or spread over n images, 95 % interval"
    )
    y = _block(ax, y, width, _heads(networks), [[_value(n, m) for n in networks] for m in METRIC_NAMES])
    if pairs:
        found = {(c.student, c.baseline, c.metric): c for c in comparisons}
        cells = [[_difference(found.get((*pair, metric))) for pair in pairs] for metric in METRIC_NAMES]
        y = _heading(
            ax, y + _GAP, width, "Student − baseline over the images valid in both: difference, 95 % interval"
        )
        _block(ax, y, width, _pair_heads(comparisons), cells)
    return ax


def table_figure(summary: ExperimentSummary) -> Figure:
    """The table as a figure of the size it needs."""
    if not summary.networks:
        raise InputError("the table needs at least one network")
    width, height = _size(summary.networks, summary.comparisons)
    with house_style():
        figure = new_figure(width + 2 * _EDGE, height + 2 * _EDGE)
        x, y = _EDGE / (width + 2 * _EDGE), _EDGE / (height + 2 * _EDGE)
        metrics_table(figure.add_axes((x, y, 1 - 2 * x, 1 - 2 * y)), summary.networks, summary.comparisons)
    return figure


def _heads(networks: Sequence[NetworkSummary]) -> list[str]:
    return [wrapped(network.name, 21) for network in networks]


def _pair_heads(comparisons: Sequence[Comparison]) -> list[str]:
    pairs = dict.fromkeys((c.student, c.baseline) for c in comparisons)
    return [f"{wrapped(student, 21, 2)}\n− {wrapped(baseline, 19, 2)}" for student, baseline in pairs]


def _head_height(heads: Sequence[str]) -> float:
    return 0.14 + _LINE * max(head.count("\n") + 1 for head in heads)


def _size(networks: Sequence[NetworkSummary], comparisons: Sequence[Comparison]) -> tuple[float, float]:
    blocks = [heads for heads in (_heads(networks), _pair_heads(comparisons)) if heads]
    height = sum(_TITLE + _head_height(heads) + len(METRIC_NAMES) * _ROW for heads in blocks)
    return max(5.6, _LABEL + _COLUMN * max(map(len, blocks))), height + _GAP * (len(blocks) - 1)


def _value(network: NetworkSummary, metric: str) -> tuple[str, str, str]:
    found = network.metrics.get(metric)
    if found is None:
        return MISSING, "", "#000000"
    value, interval = interval_text(found.value, found.low, found.high)
    return value, f"{interval}  n = {found.n}", "#000000"


def _difference(found: Comparison | None) -> tuple[str, str, str]:
    if found is None:
        return MISSING, "", "#000000"
    value, interval = interval_text(found.difference, found.low, found.high, signed=True)
    sign = VERDICT_SIGNS.get(found.verdict, "")
    colour = VERDICT_COLOURS.get(found.verdict, "#000000")
    return f"{value}  {sign} {found.verdict}", f"{interval}  n = {found.n}", colour


def _heading(ax: Axes, y: float, width: float, text: str) -> float:
    ax.text(0, y + _TITLE / 2, text, fontsize=8, va="center", color="#333333")
    ax.plot([0, width], [y + _TITLE, y + _TITLE], color="black", linewidth=1.0, clip_on=False)
    return y + _TITLE


def _block(
    ax: Axes, y: float, width: float, heads: list[str], rows: list[list[tuple[str, str, str]]]
) -> float:
    y += _head_height(heads)
    for k, head in enumerate(heads):
        plain_text(
            ax.text(_LABEL + k * _COLUMN, y - 0.06, "", fontsize=8, fontweight="bold", va="bottom"), head
        )
    ax.plot([0, width], [y, y], color="black", linewidth=0.6, clip_on=False)
    for metric, cells in zip(METRIC_NAMES, rows, strict=True):
        ax.text(0, y + 0.13, f"{MATH[metric]}  {TITLES[metric]}", fontsize=8, va="center")
        ax.text(
            0, y + 0.27, f"{unit(metric)}, {direction(metric)}", fontsize=6.5, va="center", color="#444444"
        )
        for k, (value, below, colour) in enumerate(cells):
            x = _LABEL + k * _COLUMN
            ax.text(x, y + 0.13, value, fontsize=8, va="center", color=colour)
            ax.text(x, y + 0.27, below, fontsize=6.5, va="center", color="#444444")
        y += _ROW
        ax.plot([0, width], [y, y], color="#CCCCCC", linewidth=0.4, clip_on=False)
    return y

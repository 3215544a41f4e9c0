"""One thin line per seed and a thick one for their mean: the form of everything that moves over training."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from kdprobe.errors import InputError
from kdprobe.plots.page import no_values, range_text
from kdprobe.plots.style import Named, Style, network_styles


class SeedLine(NamedTuple):
    """One network trained from one seed: K points in the order of the epochs."""

    network: str
    role: str  #: teacher, baseline or student
    seed: str
    epochs: Sequence[float]  #: (K,)
    x: Sequence[float]  #: (K,)
    y: Sequence[float]  #: (K,), NaN where there is no value
    low: Sequence[float] | None = None  #: (K,), lower end of the 95 % interval over images
    high: Sequence[float] | None = None
    n: Sequence[float] = ()  #: images behind the points


def networks_of(records: Iterable) -> list[Named]:
    """The networks of records that have `network` and `role`, in the order of their first record."""
    return [Named(name, role) for name, role in {r.network: r.role for r in records}.items()]


def styles_of(records: Iterable) -> dict[str, Style]:
    """The house's style of each of these networks."""
    return network_styles(networks_of(records))


def seeds_of(records: Collection) -> int:
    """How many seeds stand behind the network that has most."""
    return max(
        (len({r.seed for r in records if r.network == n.name}) for n in networks_of(records)), default=0
    )


def mean_line(lines: Sequence[SeedLine]) -> SeedLine:
    """The mean of x and of y over the seeds of one network, at the epochs that all have; NaN where one has none."""
    if not lines:
        raise InputError("there is no line to average: give at least one seed")
    epochs = [k for k in lines[0].epochs if all(k in line.epochs for line in lines)]
    places = [[list(line.epochs).index(k) for k in epochs] for line in lines]
    mean = {
        axis: np.mean(
            [
                np.asarray(getattr(line, axis), dtype=float)[own]
                for line, own in zip(lines, places, strict=True)
            ],
            axis=0,
        )
        for axis in ("x", "y")
    }
    return lines[0]._replace(epochs=epochs, low=None, high=None, **mean)


def seed_lines(
    ax: Axes,
    lines: Sequence[SeedLine],
    styles: Mapping[str, Style],
    *,
    marks: Mapping[str, float] | None = None,
    level: bool = True,
) -> Axes:
    """Every seed thin and pale, the mean of a network's seeds thick; a lone seed is thick and has its band.

    marks: network -> epoch, ringed on the mean; level: a network with one epoch becomes a level line across the panel.
    """
    for name in dict.fromkeys(line.network for line in lines):
        own, style = [line for line in lines if line.network == name], styles[name]
        mean = mean_line(own)
        if level and len(mean.epochs) == 1:
            if np.isfinite(mean.y[0]):
                ax.axhline(mean.y[0], color=style.colour, linestyle=style.line, linewidth=1.2)
            continue
        if len(own) == 1 and own[0].low is not None and own[0].high is not None:
            ax.fill_between(own[0].x, own[0].low, own[0].high, color=style.colour, alpha=0.18, linewidth=0)
        elif len(own) > 1:
            for line in own:
                ax.plot(line.x, line.y, color=style.colour, linewidth=0.5, alpha=0.55)
        network_line(ax, mean.x, mean.y, style)
        if marks and marks.get(name) in mean.epochs:
            k = mean.epochs.index(marks[name])
            ax.plot(*_point(mean, k), marker="o", markersize=7.5, color="none", markeredgecolor=style.colour)
    if not any(np.isfinite(np.asarray(line.y, dtype=float)).any() for line in lines):
        no_values(ax)
    return ax


def network_line(ax: Axes, x: Sequence[float], y: Sequence[float], style: Style) -> None:
    """A network's own line, thick, with at most about ten of its markers."""
    ax.plot(
        x,
        y,
        color=style.colour,
        marker=style.marker,
        linestyle=style.line,
        linewidth=1.3,
        markersize=2.8,
        markevery=max(1, len(x) // 10),
    )


def dotted_lines(ax: Axes, lines: Sequence[SeedLine], styles: Mapping[str, Style]) -> Axes:
    """The mean over the seeds of each network, thin and dotted: what its line is held against."""
    for network in networks_of(lines):
        mean = mean_line([line for line in lines if line.network == network.name])
        ax.plot(mean.x, mean.y, color=styles[network.name].colour, linestyle=(0, (1, 1.5)), linewidth=0.9)
    return ax


def lines_text(lines: Sequence[SeedLine]) -> str:
    """What the lines, their bands and n are, in words."""
    counts = [n for line in lines for n in line.n if n > 0]
    n = f"{range_text(counts)} images" if counts else "images"
    seeds = seeds_of(lines)
    if seeds > 1:
        said = f"Thin lines: mean over {n} of each of {seeds} seeds; thick: mean of the seeds."
    else:
        band = "; bands: 95 % intervals over images" if any(line.low is not None for line in lines) else ""
        said = f"Lines: mean over {n}, one seed{band}."
    once = any(len(line.epochs) == 1 for line in lines)
    return said + (" Level lines: measured at one epoch alone." if once else "")


def of_seeds(records: Collection) -> str:
    """What is said of a mean over the seeds, where there are several."""
    return " (mean of the seeds)" if seeds_of(records) > 1 else ""


def _point(line: SeedLine, k: int) -> tuple[list[float], list[float]]:
    return [line.x[k]], [line.y[k]]

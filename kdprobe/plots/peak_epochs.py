"""When images have most foreground concepts: distribution of the peak epochs and of the weight distance D."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kdprobe.errors import InputError
from kdprobe.plots.page import label_rows, page_figure, page_words, panel, range_text
from kdprobe.plots.seed_lines import networks_of, seeds_of, styles_of
from kdprobe.plots.style import page_style

_BINS = 16
EPOCH_LABEL = r"peak epoch $\hat{m}$"
DISTANCE_LABEL = r"learning distance $D$ / $\|w_0\|$"


class Peaks(NamedTuple):
    """One network from one seed: per image the peak epoch and the distance moved until then."""

    network: str
    role: str
    seed: str
    epochs: Sequence[float]  #: (N,), NaN for an image that never had a foreground concept
    distances: Sequence[float]  #: (N,), in norms of the initial weights; NaN likewise


def ridge_panel(ax: Axes, peaks: Sequence[Peaks], key: str) -> Axes:
    """A row per network: a histogram of all images of its seeds, and below it mean and standard deviation.

    key: "epochs" (a bar per epoch) or "distances" (16 bins over the range of all). The mean and the std (ddof 0)
    are those over the images of a seed, averaged over the seeds; a short line marks the mean of each seed.
    """
    styles, names = styles_of(peaks), [network.name for network in networks_of(peaks)]
    values = {name: [_known(getattr(p, key)) for p in peaks if p.network == name] for name in names}
    edges = _edges(np.concatenate([v for own in values.values() for v in own]), whole=key == "epochs")
    panel(ax, whole=key == "epochs", grid="x")
    for y, (name, own) in enumerate(values.items()):
        together, colour = np.concatenate(own), styles[name].colour
        if not together.size:
            ax.text(
                np.mean(edges),
                y,
                "no image has a peak",
                ha="center",
                va="center",
                fontsize=6,
                color="#555555",
            )
            continue
        shares = np.histogram(together, edges)[0] / together.size
        heights = 0.56 * shares / max(shares)
        ax.bar(
            edges[:-1], -heights, np.diff(edges), bottom=y + 0.12, align="edge",
            color=colour, alpha=0.4, edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        each = [(float(v.mean()), float(v.std())) for v in own if v.size]
        mean, spread = np.mean(each, axis=0)
        ax.hlines(y + 0.28, mean - spread, mean + spread, color=colour, linewidth=1.2)
        if len(each) > 1:
            ax.plot(
                [m for m, _ in each],
                [y + 0.28] * len(each),
                color=colour,
                marker="|",
                markersize=5,
                linestyle="",
            )
        ax.plot([mean], [y + 0.28], color=colour, marker=styles[name].marker, markersize=4)
    return label_rows(ax, names)


def peak_epochs_figure(peaks: Sequence[Peaks], *, column: str = "two", note: str = "") -> Figure:
    """Peak epochs at the left (on one column: above), distances D at the right (below)."""
    networks = networks_of(peaks)
    if not networks:
        raise InputError("there are no peak epochs to draw: give at least one network")
    with page_style():
        rows = 0.55 * len(networks)
        if column == "two":
            figure = page_figure(column, 1.1 + max(rows, 1.0))
            panels = figure.subplots(1, 2, sharey=True)
        else:
            figure = page_figure(column, 1.7 + 2 * max(rows, 0.9))
            panels = figure.subplots(2, 1)
        for ax, key, label in zip(
            panels, ("epochs", "distances"), (EPOCH_LABEL, DISTANCE_LABEL), strict=True
        ):
            ridge_panel(ax, peaks, key).set_xlabel(label)
        if column == "two":
            panels[1].tick_params(labelleft=False)
        seeds = seeds_of(peaks)
        grey = "#555555"
        entries = {
            "share of the images": Patch(facecolor=grey, alpha=0.4),
            "mean ± standard deviation": Line2D([], [], color=grey, marker="o", markersize=4, linewidth=1.2),
        }
        if seeds > 1:
            entries["mean of each seed"] = Line2D([], [], color=grey, marker="|", linestyle="", markersize=5)
        page_words(figure, entries, note, _words(peaks, seeds))
    return figure


def _known(values: Sequence[float]) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return values[np.isfinite(values)]


def _edges(values: np.ndarray, *, whole: bool) -> np.ndarray:
    if not values.size:
        return np.array([0.5, 1.5])
    if whole:
        return np.arange(values.min() - 0.5, values.max() + 1.0)
    low, high = values.min(), values.max()
    half = 0.0 if high > low else max(abs(low), 1.0) / 2
    return np.linspace(low - half, high + half, _BINS + 1)


def _words(peaks: Sequence[Peaks], seeds: int) -> str:
    n = range_text(len(p.epochs) for p in peaks)
    without = dict.fromkeys((network.name for network in networks_of(peaks)), 0)
    for p in peaks:
        without[p.network] += len(p.epochs) - _known(p.epochs).size
    left = ", ".join(f"{name} {count}" for name, count in without.items() if count)
    said = f"{n} images of each of {seeds} seeds" if seeds > 1 else f"{n} images, one seed"
    spread = (
        "; mean and std over images, averaged over the seeds" if seeds > 1 else "; mean and std over images"
    )
    missing = f" Without any foreground concept and not drawn: {left}." if left else ""
    return f"{said}{spread}. Bars: all seeds together, the highest of each row equal.{missing}"

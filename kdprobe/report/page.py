"""The report: one HTML file that needs nothing beside it."""

from math import isfinite
from pathlib import Path
from typing import Any

from kdprobe.metrics import METRICS
from kdprobe.pages import CHART, render_page
from kdprobe.plots import unit
from kdprobe.records import NO_VALUE, Comparison, ExperimentSummary, Interval, NetworkSummary
from kdprobe.records.numbers import percent
from kdprobe.report.comparison import plain
from kdprobe.report.downloads import downloads
from kdprobe.report.explorer import explorable, explorer_json
from kdprobe.report.facts import facts
from kdprobe.report.findings import notes, pairs
from kdprobe.report.overview import OVERVIEW_SCRIPT, OVERVIEW_STYLE, overview_section
from kdprobe.report.overview_data import shown
from kdprobe.report.pictures import curves_picture, maps_picture
from kdprobe.report.reproduce import config_text, measured, reproduce
from kdprobe.report.words import LIMITS, MISSING_MAPS, TERMS, WORDS, reach
from kdprobe.storage import write_atomically

_SHARED, _OWN = "kdprobe.pages", "kdprobe.report"
_EXPLORER = ("counting", "state", "drawing", "card", "cell", "controls", "curves", "files")
STYLE = (
    (_SHARED, "page.css"),
    (_SHARED, "chart.css"),
    (_OWN, "explorer.css"),
    (_OWN, "report.css"),
    OVERVIEW_STYLE,
)
SCRIPT = (
    *CHART,
    *((_OWN, f"explorer_{part}.js") for part in _EXPLORER),
    (_OWN, "report.js"),
    *OVERVIEW_SCRIPT,
    (_OWN, "explorer.js"),  # last: where it fails, in a browser too old for it, the rest of the page is there
)


def write_report(summary: ExperimentSummary, folder: str | Path) -> Path:
    """Write `folder`/index.html and return its path: data, pictures, style and script inside, nothing beside it.

    A Content-Security-Policy admits pictures of data: URIs, this style and this one script; every text is escaped.
    Without a script the page shows pictures instead. The same record gives the same bytes. Raises SnapshotError if the
    system refuses.
    """
    path = Path(folder) / "index.html"
    write_atomically(path, render(summary).encode(errors="replace"))  # a file name need not be text
    return path


def render(summary: ExperimentSummary) -> str:
    """The page as text."""
    explorer = explorable(summary.explorer)
    return render_page(
        _OWN,
        "report.html",
        style=STYLE,
        script=SCRIPT,
        data=None if explorer is None else explorer_json(explorer),
        explorer=explorer,
        title=summary.title,
        networks=summary.networks,
        overview=overview_section(summary),
        pairs=[pair | {"rows": [_difference_row(c) for c in pair["comparisons"]]} for pair in pairs(summary)],
        metric_rows=[_metric_row(metric, summary.networks) for metric in WORDS],
        accuracy=[_accuracy(network) for network in summary.networks],
        unmeasured=[{"network": n, "value": percent(n.accuracy)} for n in summary.unmeasured],
        curves=curves_picture(summary),
        maps=[maps_picture(maps, number) for number, maps in enumerate(summary.maps, start=1)],
        missing_maps=MISSING_MAPS,
        limits=LIMITS,
        terms=TERMS,
        notes=notes(summary),
        settings=list(facts(plain({k: v for k, v in summary.settings.items() if k != "config"}))),
        provenance=list(facts(plain(summary.provenance))),
        measured=measured(summary.settings),
        reproduce=reproduce(summary),
        config=config_text(summary),
        downloads=downloads(summary),
        words=WORDS,
        difference=_difference,
    )


def _metric_row(metric: str, networks: tuple[NetworkSummary, ...]) -> dict[str, Any]:
    return {
        "words": WORDS[metric],
        "unit": unit(metric),
        "range": reach(metric),
        "higher": METRICS[metric].higher_is_better,
        "cells": [shown(network.metrics.get(metric, NO_VALUE)) for network in networks],
    }


def _difference_row(found: Comparison) -> dict[str, Any]:
    return {
        "words": WORDS[found.metric],
        "unit": unit(found.metric),
        "higher": METRICS[found.metric].higher_is_better,
        "verdict": found.verdict,
        **_difference(found),
    }


def _difference(found: Comparison) -> dict[str, Any]:
    return shown(Interval(found.difference, found.low, found.high, found.n), signed=True)


def _accuracy(network: NetworkSummary) -> dict[str, Any]:
    return {
        "network": network,
        "value": percent(network.accuracy),
        "by_epoch": [
            (epoch, percent(value))
            for epoch, value in zip(network.epochs, network.accuracy_by_epoch, strict=False)
            if value is not None and isfinite(value)
        ],
    }

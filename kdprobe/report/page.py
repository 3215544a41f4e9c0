"""The report: one HTML file that needs nothing beside it."""

from math import isfinite
from pathlib import Path
from typing import Any

from kdprobe.metrics import METRICS
from kdprobe.pages import CHART, environment, inline
from kdprobe.plots import interval_text, unit
from kdprobe.records import Comparison, ExperimentSummary, Interval, NetworkSummary
from kdprobe.report.comparison import plain
from kdprobe.report.downloads import downloads
from kdprobe.report.explorer import explorer_data, json_markup
from kdprobe.report.facts import facts
from kdprobe.report.findings import notes, pairs
from kdprobe.report.overview import OVERVIEW_SCRIPT, OVERVIEW_STYLE, overview_section
from kdprobe.report.pictures import curves_picture, maps_picture
from kdprobe.report.reproduce import config_text, measured, reproduce
from kdprobe.report.words import LIMITS, MISSING_MAPS, TERMS, WORDS, reach

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
    (_OWN, "explorer.js"),
    (_OWN, "report.js"),
    *OVERVIEW_SCRIPT,
)


def write_report(summary: ExperimentSummary, folder: str | Path) -> Path:
    """Write `folder`/index.html and return its path: data, pictures, style and script inside, nothing beside it.

    A Content-Security-Policy admits pictures of data: URIs, this style and this one script; every text is escaped.
    Without a script the page shows pictures instead. The same record gives the same bytes.
    """
    path = Path(folder) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(summary).encode(errors="replace"))  # a file name need not be text
    return path


def render(summary: ExperimentSummary) -> str:
    """The page as text."""
    (style, style_digest), (script, script_digest) = inline(*STYLE), inline(*SCRIPT)
    explorer = summary.explorer
    return (
        environment(_OWN)
        .get_template("report.html")
        .render(
            style=style,
            style_digest=style_digest,
            script=script,
            script_digest=script_digest,
            data=None if explorer is None else json_markup(explorer_data(explorer)),
            explorer=explorer,
            title=summary.title,
            networks=summary.networks,
            overview=overview_section(summary),
            pairs=[
                pair | {"rows": [_difference_row(c) for c in pair["comparisons"]]} for pair in pairs(summary)
            ],
            metric_rows=[_metric_row(metric, summary.networks) for metric in WORDS],
            accuracy=[_accuracy(network) for network in summary.networks],
            unmeasured=[{"network": n, "value": _percent(n.accuracy)} for n in summary.unmeasured],
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
            symbol=lambda metric: WORDS[metric],
            difference=lambda c: _shown(c.difference, c.low, c.high, c.n, signed=True),
        )
    )


def _shown(value: float, low: float, high: float, n: int, signed: bool = False) -> dict[str, Any]:
    text, interval = interval_text(value, low, high, signed=signed)
    return {"value": text, "interval": interval if isfinite(value) else "", "n": n}


def _cell(found: Interval | None) -> dict[str, Any]:
    if found is None:
        return _shown(*[float("nan")] * 3, 0)
    return _shown(found.value, found.low, found.high, found.n)


def _metric_row(metric: str, networks: tuple[NetworkSummary, ...]) -> dict[str, Any]:
    return {
        "words": WORDS[metric],
        "unit": unit(metric),
        "range": reach(metric),
        "higher": METRICS[metric].higher_is_better,
        "cells": [_cell(network.metrics.get(metric)) for network in networks],
    }


def _difference_row(found: Comparison) -> dict[str, Any]:
    return {
        "words": WORDS[found.metric],
        "unit": unit(found.metric),
        "higher": METRICS[found.metric].higher_is_better,
        "verdict": found.verdict,
        **_shown(found.difference, found.low, found.high, found.n, signed=True),
    }


def _accuracy(network: NetworkSummary) -> dict[str, Any]:
    return {
        "network": network,
        "value": _percent(network.accuracy),
        "by_epoch": [
            (epoch, f"{100 * value:.1f} %")
            for epoch, value in zip(network.epochs, network.accuracy_by_epoch, strict=False)
            if value is not None and isfinite(value)
        ],
    }


def _percent(share: float | None) -> str:
    return f"{100 * share:.1f} %" if share is not None and isfinite(share) else "n/a"

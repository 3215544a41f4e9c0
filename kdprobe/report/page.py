"""The report: one HTML file that needs nothing beside it."""

from base64 import b64encode
from math import isfinite
from pathlib import Path
from typing import Any

from kdprobe.metrics import METRICS
from kdprobe.plots import curves_figure, interval_text, maps_figure, png_bytes, unit
from kdprobe.records import Comparison, ConceptMaps, ExperimentSummary, Interval, NetworkSummary
from kdprobe.report.comparison import plain
from kdprobe.report.findings import notes, pairs
from kdprobe.report.house import environment, style_sheet
from kdprobe.report.words import LIMITS, MISSING_MAPS, WORDS


def write_report(summary: ExperimentSummary, folder: str | Path) -> Path:
    """Write `folder`/index.html and return its path: pictures as data: URIs, style inline, no script.

    A Content-Security-Policy admits only these pictures and this style; every text is escaped. The same
    record gives the same bytes.
    """
    path = Path(folder) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(summary).encode())
    return path


def render(summary: ExperimentSummary) -> str:
    """The page as text."""
    style, digest = style_sheet("report.css")
    return (
        environment()
        .get_template("report.html")
        .render(
            style=style,
            style_digest=digest,
            title=summary.title,
            networks=summary.networks,
            pairs=[
                pair | {"rows": [_difference_row(c) for c in pair["comparisons"]]} for pair in pairs(summary)
            ],
            metric_rows=[_metric_row(metric, summary.networks) for metric in WORDS],
            accuracy=[_accuracy(network) for network in summary.networks],
            unmeasured=[{"network": n, "value": _percent(n.accuracy)} for n in summary.unmeasured],
            curves=_curves(summary),
            maps=[_maps(maps) for maps in summary.maps],
            missing_maps=MISSING_MAPS,
            limits=LIMITS,
            notes=notes(summary),
            settings=list(_flat(plain(summary.settings))),
            provenance=list(_flat(plain(summary.provenance))),
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
    low, high = METRICS[metric].range
    reach = f"{low:g} … {high:g}" if isfinite(high) else f"≥ {low:g}"
    if METRICS[metric].unit == "cells":
        reach = f"{low:g} … all cells"
    return {
        "words": WORDS[metric],
        "unit": unit(metric),
        "range": reach,
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


def _uri(picture: bytes) -> str:
    return "data:image/png;base64," + b64encode(picture).decode()


def _curves(summary: ExperimentSummary) -> dict[str, str] | None:
    if not summary.networks:
        return None
    ends = []
    for network in summary.networks:
        values = [
            " ".join([METRICS[metric].symbol, *interval_text(end.value, end.low, end.high)])
            for metric, points in network.curves.items()
            for end in points[-1:]
        ]
        last = network.epochs[-1] if network.epochs else 0
        ends.append(f"{network.name} at epoch {last}: {', '.join(values)}")
    return {
        "wide": _uri(png_bytes(curves_figure(summary))),
        "tall": _uri(png_bytes(curves_figure(summary, tall=True))),
        "alt": "Curves of N_fg, N_bg and lambda over epochs and over weight distance, with 95 % bands. "
        + "; ".join(ends),
    }


def _maps(maps: ConceptMaps) -> dict[str, str]:
    names = ", ".join(maps.entropy)
    epochs = ", ".join(map(str, maps.epochs))
    return {
        "src": _uri(png_bytes(maps_figure(maps))),
        "label": maps.label,
        "id": maps.image_id,
        "alt": f"Image of class {maps.label} with its foreground outlined, then entropy maps and concept "
        f"cells of {names} at epochs {epochs}.",
    }


def _flat(value: Any, key: str = ""):
    """(dotted key, text) of everything in nested dicts; short lists stay on one line."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for k, item in enumerate(value):
            yield from _flat(item, f"{key}[{k}]")
    else:
        yield key, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return "none"
    return str(value)

"""All networks of an experiment or a sweep on one screen: table, curves, scatter, verdicts."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from kdprobe.metrics import METRICS
from kdprobe.pages import CHART, environment, inline
from kdprobe.plots import unit
from kdprobe.records import ExperimentSummary, PooledComparison
from kdprobe.report.explorer import json_markup
from kdprobe.report.overview_data import MOST_POINTS, overview_data, shown
from kdprobe.report.overview_rows import Gap, OverviewRow, rows_of_experiment, rows_of_sweep
from kdprobe.report.overview_verdicts import sweep_pairs
from kdprobe.report.sweep_captions import EQUAL_EPOCHS, brackets, seeds_text
from kdprobe.report.sweep_curves import CurveValue
from kdprobe.report.sweep_files import NetworkValue
from kdprobe.report.sweep_hypotheses import hypotheses_table
from kdprobe.report.sweep_tables import SHOWN
from kdprobe.report.words import LIMITS, MARGIN_LIMIT, WORDS, reach

_SHARED, _OWN = "kdprobe.pages", "kdprobe.report"
OVERVIEW_STYLE = (_OWN, "overview.css")
OVERVIEW_SCRIPT = tuple(
    (_OWN, f"overview_{part}.js") for part in ("rows", "table", "filters", "multiples", "scatter", "start")
)
STYLE = ((_SHARED, "page.css"), (_SHARED, "chart.css"), OVERVIEW_STYLE)
SCRIPT = (*CHART, (_OWN, "explorer_files.js"), *OVERVIEW_SCRIPT)
_HEADS = {"data": "data", "model": "architecture", "layer": "layer", "method": "method", "seed": "seed"}
MOST_ROWS, MOST_PAIRS = 500, 60  #: networks and comparisons in one page


def write_overview(
    networks: Sequence[NetworkValue],
    comparisons: Sequence[PooledComparison],
    curves: Sequence[CurveValue],
    folder: str | Path,
    counting: str = "",
) -> Path:
    """Write `folder`/index.html, all networks of a sweep in one page that needs nothing beside it; its path.

    counting: how concepts were counted, in words. The first 500 networks, 60 comparisons of a student and 40 epochs
    of a curve are in it, and it says what is left out. A Content-Security-Policy admits its style and script alone; a
    browser without scripts shows the table. The same records give the same bytes.
    """
    (style, style_digest), (script, script_digest) = inline(*STYLE), inline(*SCRIPT)
    rows = rows_of_sweep(networks, comparisons, curves)
    compared = sweep_pairs(comparisons)
    page = (
        environment(_OWN)
        .get_template("overview_page.html")
        .render(
            style=style,
            style_digest=style_digest,
            script=script,
            script_digest=script_digest,
            overview=_section(rows),
            held=_held(rows),
            summary=hypotheses_table(comparisons).caption,
            told=[f"Differences are means over {seeds_text(comparisons)}. {brackets(comparisons)}", counting],
            pairs=compared[:MOST_PAIRS],
            unseen=max(0, len(compared) - MOST_PAIRS),
            words=WORDS,
            unit=unit,
            reach=reach,
            higher={name: METRICS[name].higher_is_better for name in SHOWN},
            limits=[limit for limit in LIMITS if limit != MARGIN_LIMIT],
        )
    )
    path = Path(folder) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(page.encode(errors="replace"))
    return path


def overview_section(summary: ExperimentSummary) -> dict[str, Any] | None:
    """What overview.html shows of an experiment; None unless it has several students."""
    rows = rows_of_experiment(summary)
    if sum(row.role == "student" for row in rows) < 2:
        return None
    return _section(rows) | {
        "multiples": len({row.place for row in rows}) > 1
    }  # else the report's own curves


def _section(rows: Sequence[OverviewRow]) -> dict[str, Any]:
    held = rows[:MOST_ROWS]
    kinds = {name: list(dict.fromkeys(getattr(row, name) for row in rows)) for name in _HEADS}
    longest = max((len(points) for row in held for points in row.curves.values()), default=0)
    return {
        "columns": [(name, head) for name, head in _HEADS.items() if len(kinds[name]) > 1],
        "same": [
            (head, kinds[name][0])
            for name, head in _HEADS.items()
            if len(kinds[name]) == 1 and kinds[name][0] not in ("", None)
        ],
        "metrics": [
            {
                "name": name,
                "words": WORDS[name],
                "unit": unit(name),
                "higher": METRICS[name].higher_is_better,
            }
            for name in SHOWN
        ],
        "rows": [_line(row) for row in held],
        "left_out": len(rows) - len(held),
        "multiples": True,
        "thinned": MOST_POINTS if longest > MOST_POINTS else 0,
        "seeds": max((len(found) for found in _seeds(rows).values()), default=0),
        "unpaired": any(gap.verdict == "" for row in held for gap in row.gaps.values()),
        "equal_epochs": EQUAL_EPOCHS,
        "data": json_markup(overview_data(held)),
    }


def _line(row: OverviewRow) -> dict[str, Any]:
    cells = []
    for name in SHOWN:
        found, gap = row.metrics.get(name), row.gaps.get(name)
        cells.append({"found": None if found is None else shown(found), "gap": gap and _gap(gap)})
    share = f"{100 * row.accuracy:.1f} %" if isfinite(row.accuracy) else "n/a"
    return {"row": row, "accuracy": share, "cells": cells}


def _gap(gap: Gap) -> dict[str, Any]:
    return {**shown(gap.difference, signed=True), "verdict": gap.verdict}


def _seeds(rows: Sequence[OverviewRow]) -> dict[tuple, set]:
    seeds: dict[tuple, set] = {}
    for row in rows:
        seeds.setdefault((*row.place, row.network), set()).add(row.seed)
    return seeds


def _held(rows: Sequence[OverviewRow]) -> str:
    """ "2 data sets, 1 architecture, 4 layers, 3 methods, 1 seed" """
    kinds = {
        "data set": {row.data for row in rows},
        "architecture": {row.model for row in rows},
        "layer": {(row.model, row.layer) for row in rows},
        "method": {row.method for row in rows if row.role == "student"},
        "seed": {row.seed for row in rows},
    }
    return ", ".join(f"{len(found)} {kind}{'s' if len(found) != 1 else ''}" for kind, found in kinds.items())

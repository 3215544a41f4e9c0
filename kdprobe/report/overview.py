"""All networks of an experiment or a sweep on one screen: table, curves, scatter, verdicts."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from kdprobe.metrics import CLAIMS, METRICS
from kdprobe.pages import CHART, json_markup, render_page
from kdprobe.plots import unit
from kdprobe.records import ExperimentSummary, PooledComparison
from kdprobe.records.numbers import MISSING, percent
from kdprobe.report.cells import PLACE, grouped
from kdprobe.report.overview_data import HEADS, MOST_POINTS, overview_data, shown
from kdprobe.report.overview_rows import Gap, OverviewRow, rows_of_experiment, rows_of_sweep
from kdprobe.report.overview_verdicts import sweep_pairs
from kdprobe.report.sweep_captions import EQUAL_EPOCHS, brackets, seeds_text
from kdprobe.report.sweep_curves import CurveValue
from kdprobe.report.sweep_files import NetworkValue
from kdprobe.report.sweep_hypotheses import hypotheses_table
from kdprobe.report.words import LIMITS, MARGIN_LIMIT, WORDS, reach
from kdprobe.storage import write_atomically

_SHARED, _OWN = "kdprobe.pages", "kdprobe.report"
OVERVIEW_STYLE = (_OWN, "overview.css")
OVERVIEW_SCRIPT = tuple(
    (_OWN, f"overview_{part}.js")
    for part in ("rows", "table", "columns", "filters", "multiples", "scatter", "start")
)
STYLE = ((_SHARED, "page.css"), (_SHARED, "chart.css"), OVERVIEW_STYLE)
SCRIPT = (*CHART, (_OWN, "explorer_files.js"), *OVERVIEW_SCRIPT)
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
    browser without scripts shows the table. The same records give the same bytes; the file appears whole. SnapshotError
    if the system refuses it.
    """
    rows = rows_of_sweep(networks, comparisons, curves)
    compared = sweep_pairs(comparisons)
    page = render_page(
        _OWN,
        "overview_page.html",
        style=STYLE,
        script=SCRIPT,
        overview=_section(rows),
        held=_held(rows),
        summary=hypotheses_table(comparisons).caption,
        told=[f"Differences are means over {seeds_text(comparisons)}. {brackets(comparisons)}", counting],
        pairs=compared[:MOST_PAIRS],
        unseen=max(0, len(compared) - MOST_PAIRS),
        words=WORDS,
        unit=unit,
        reach=reach,
        higher={name: METRICS[name].higher_is_better for name in CLAIMS},
        limits=[limit for limit in LIMITS if limit != MARGIN_LIMIT],
    )
    path = Path(folder) / "index.html"
    write_atomically(path, page.encode(errors="replace"))  # a name need not be text
    return path


def overview_section(summary: ExperimentSummary) -> dict[str, Any] | None:
    """What overview.html shows of an experiment; None unless it has several students."""
    rows = rows_of_experiment(summary)
    if sum(row.role == "student" for row in rows) < 2:
        return None
    several = len({row.place for row in rows}) > 1  # else the report's own curves show them all
    return _section(rows) | {"multiples": several}


def _section(rows: Sequence[OverviewRow]) -> dict[str, Any]:
    held = rows[:MOST_ROWS]
    named = {name: head for name, head in HEADS.items() if name != "network"}  # which heads its row
    kinds = {name: list(dict.fromkeys(getattr(row, name) for row in rows)) for name in named}
    columns = [(name, head) for name, head in named.items() if len(kinds[name]) > 1]
    seeds = grouped(rows, attrgetter(*PLACE, "network")).values()
    longest = max((len(points) for row in held for points in row.curves.values()), default=0)
    return {
        "columns": columns,
        "same": [
            (head, kinds[name][0])
            for name, head in named.items()
            if len(kinds[name]) == 1 and kinds[name][0] not in ("", None)
        ],
        "metrics": [
            {
                "name": name,
                "words": WORDS[name],
                "unit": unit(name),
                "higher": METRICS[name].higher_is_better,
            }
            for name in CLAIMS
        ],
        "rows": [_line(row, columns) for row in held],
        "left_out": len(rows) - len(held),
        "multiples": True,
        "thinned": MOST_POINTS if longest > MOST_POINTS else 0,
        "seeds": max(map(len, seeds), default=0),
        "unpaired": any(gap.verdict == "" for row in held for gap in row.gaps.values()),
        "equal_epochs": EQUAL_EPOCHS,
        "data": json_markup(overview_data(held)),
    }


def _line(row: OverviewRow, columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    cells = []
    for name in CLAIMS:
        found, gap = row.metrics.get(name), row.gaps.get(name)
        cells.append({"found": None if found is None else shown(found), "gap": gap and _gap(gap)})
    named = {name: MISSING if getattr(row, name) is None else getattr(row, name) for name, _ in columns}
    place = [named[name] for name in PLACE if named.get(name)]
    place += [f"seed\N{NO-BREAK SPACE}{named['seed']}"] if "seed" in named else []
    return {
        "network": row.network,
        "place": " · ".join(place),
        "named": named,
        "accuracy": percent(row.accuracy),
        "cells": cells,
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {**shown(gap.difference, signed=True), "verdict": gap.verdict}


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

"""The numbers as tables: CSV for programs (full precision), Markdown and LaTeX for texts (rounded)."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from kdprobe.metrics import METRICS
from kdprobe.plots import interval_text, unit
from kdprobe.records import NO_VALUE, Comparison, ExperimentSummary, Interval, NetworkSummary
from kdprobe.report.comparison import CURVE_COLUMNS
from kdprobe.report.explorer_file import explorer_bytes
from kdprobe.report.forms import csv_bytes, latex_lines, markdown_lines, md, tex
from kdprobe.report.map_file import map_arrays
from kdprobe.report.words import WORDS


def write_tables(summary: ExperimentSummary, folder: str | Path) -> list[Path]:
    """Write metrics.csv, comparisons.csv, curves.csv, metrics.md, metrics.tex and (if there are maps)
    concept_maps.npz and explorer.npz into `folder`; return the paths. A missing value is an empty field. Of an earlier
    report there, which had maps, none stay.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = csv_files(summary) | {
        "metrics.md": markdown_table(summary).encode(),
        "metrics.tex": latex_table(summary).encode(),
    }
    if summary.maps:
        target = BytesIO()
        np.savez_compressed(target, **map_arrays(summary.maps))
        files["concept_maps.npz"] = target.getvalue()
    if summary.explorer is not None:
        files["explorer.npz"] = explorer_bytes(summary.explorer)
    for name in ("concept_maps.npz", "explorer.npz"):
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def csv_files(summary: ExperimentSummary) -> dict[str, bytes]:
    """By name: the metrics of each network, the differences, the curves."""
    return {
        "metrics.csv": csv_bytes(
            ("network", "role", "metric", "value", "low", "high", "n", "unit"), _metrics(summary)
        ),
        "comparisons.csv": csv_bytes(
            ("student", "baseline", "metric", "difference", "low", "high", "n", "verdict"),
            _comparisons(summary),
        ),
        "curves.csv": csv_bytes(CURVE_COLUMNS, _curves(summary.networks)),
    }


def markdown_table(summary: ExperimentSummary) -> str:
    """Two Markdown tables: the metrics of each network, the differences student - baseline; and how it was counted."""
    lines = _markdown(
        ["metric", "unit", "better", *(n.name for n in summary.networks)],
        [
            [METRICS[m].symbol, unit(m), _better(m), *(_joined(n.metrics.get(m)) for n in summary.networks)]
            for m in WORDS
        ],
    )
    if summary.comparisons:
        lines += ["", "Student − baseline, over the images valid in both:", ""]
        lines += _markdown(
            ["student", "baseline", "metric", "difference", "verdict"],
            [
                [
                    c.student,
                    c.baseline,
                    METRICS[c.metric].symbol,
                    _joined(_as_interval(c), signed=True),
                    c.verdict,
                ]
                for c in summary.comparisons
            ],
        )
    if summary.counting:
        lines += ["", md(summary.counting)]
    return "\n".join(lines) + "\n"


def latex_table(summary: ExperimentSummary) -> str:
    """The same two tables in LaTeX; the preamble needs the package booktabs."""
    lines = ["% needs \\usepackage{booktabs}"]
    lines += latex_lines(
        ["metric", "unit", "better", *(tex(n.name) for n in summary.networks)],
        [
            [
                WORDS[m].latex,
                tex(unit(m)),
                _better(m),
                *(tex(_joined(n.metrics.get(m))) for n in summary.networks),
            ]
            for m in WORDS
        ],
    )
    if summary.comparisons:
        lines += ["", "\\medskip", ""]
        lines += latex_lines(
            ["student", "baseline", "metric", "difference", "verdict"],
            [
                [
                    tex(c.student),
                    tex(c.baseline),
                    WORDS[c.metric].latex,
                    tex(_joined(_as_interval(c), signed=True)),
                    tex(c.verdict),
                ]
                for c in summary.comparisons
            ],
        )
    if summary.counting:
        lines += ["", "\\medskip", "", tex(summary.counting)]
    return "\n".join(lines) + "\n"


def _better(metric: str) -> str:
    return "higher" if METRICS[metric].higher_is_better else "lower"


def _as_interval(found: Comparison) -> Interval:
    return Interval(found.difference, found.low, found.high, found.n)


def _joined(found: Interval | None, signed: bool = False) -> str:
    if found is None:
        return "n/a"
    return " ".join(interval_text(found.value, found.low, found.high, signed=signed)) + f", n = {found.n}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return markdown_lines([md(cell) for cell in head], [[md(cell) for cell in row] for row in rows])


def _metrics(summary: ExperimentSummary) -> Iterable[tuple]:
    for network in summary.networks:
        for metric in WORDS:
            found = network.metrics.get(metric, NO_VALUE)
            numbers = (found.value, found.low, found.high, found.n)
            yield network.name, network.role, metric, *numbers, unit(metric)


def _comparisons(summary: ExperimentSummary) -> Iterable[tuple]:
    for c in summary.comparisons:
        yield c.student, c.baseline, c.metric, c.difference, c.low, c.high, c.n, c.verdict


def _curves(networks: Sequence[NetworkSummary]) -> Iterable[tuple]:
    for network in networks:
        for metric, points in network.curves.items():
            for epoch, path, point in zip(network.epochs, network.path, points, strict=True):
                yield network.name, epoch, path, metric, point.value, point.low, point.high, point.n

"""The result on one screen of a terminal."""

from collections.abc import Sequence
from textwrap import wrap

from kdprobe.metrics import METRICS
from kdprobe.plots import interval_text
from kdprobe.records import ExperimentSummary
from kdprobe.report.words import FINDINGS, WORDS

WIDTH = 100  #: columns at most


def console_table(summary: ExperimentSummary) -> str:
    """Metrics of each network with 95 % intervals, differences with verdicts, hypotheses; <= 100 wide.

    Networks that do not fit beside each other follow in a further block. Control characters become "?".
    """
    left = [[METRICS[m].symbol, "higher" if METRICS[m].higher_is_better else "lower"] for m in WORDS]
    columns = [
        [_short(network.name, 24), *(_cell(network.metrics.get(metric)) for metric in WORDS)]
        for network in summary.networks
    ]
    lines = []
    for block in _blocks(columns, WIDTH - len("metric  better  ")):
        rows = [["metric", "better", *(column[0] for column in block)]]
        rows += [[*left[i], *(column[i + 1] for column in block)] for i in range(len(left))]
        lines += [*_aligned(rows), ""]
    for student, baseline in dict.fromkeys((c.student, c.baseline) for c in summary.comparisons):
        lines.append(f"{_short(student, 44)} - {_short(baseline, 44)}:")
        rows = [["  metric", "difference, 95 % interval", "n", "verdict"]]
        rows += [
            [f"  {METRICS[c.metric].symbol}", _difference(c), str(c.n), c.verdict]
            for c in summary.comparisons
            if (c.student, c.baseline) == (student, baseline)
        ]
        lines += _aligned(rows)
        for hypothesis in summary.hypotheses:
            if (hypothesis.student, hypothesis.baseline) == (student, baseline):
                finding = FINDINGS.get(hypothesis.name, {}).get(hypothesis.verdict, hypothesis.statement)
                lines += wrap(
                    f"{hypothesis.name} {hypothesis.verdict}: {finding}",
                    WIDTH,
                    initial_indent="  ",
                    subsequent_indent="     ",
                )
        lines.append("")
    lines += wrap(_short(summary.counting, 2000), WIDTH)
    return "\n".join(lines).rstrip("\n") + "\n"


def _blocks(columns: list[list[str]], room: int) -> list[list[list[str]]]:
    blocks: list[list[list[str]]] = []
    used = room
    for column in columns:
        width = max(map(len, column)) + 2
        if used + width > room + 2:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += width
    return blocks


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cell(found) -> str:
    if found is None:
        return "n/a"
    return " ".join(interval_text(found.value, found.low, found.high, minus="-")) + f" n={found.n}"


def _difference(c) -> str:
    return " ".join(interval_text(c.difference, c.low, c.high, signed=True, minus="-"))


def _short(text: str, width: int) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= width else clean[: width - 3] + "..."

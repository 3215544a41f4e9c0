"""What came out for each student of a sweep, in words and numbers."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from kdprobe.metrics import HYPOTHESES, hypothesis_verdict
from kdprobe.records import Comparison, ExperimentSummary, Hypothesis, Interval, PooledComparison
from kdprobe.report.cells import grouped
from kdprobe.report.findings import pairs
from kdprobe.report.overview_data import shown
from kdprobe.report.sweep_files import PAIR


def sweep_pairs(comparisons: Sequence[PooledComparison]) -> list[dict[str, Any]]:
    """As `findings.pairs`, with the `place`, numbers as people read them (`shown`, by metric) and `seeds`.

    A metric that was not compared leaves its hypothesis undecided.
    """
    told = []
    for (*place, student, baseline), found in grouped(comparisons, attrgetter(*PAIR)).items():
        verdicts = {row.metric: row.verdict for row in found}
        judged = tuple(
            Hypothesis(
                *(student, baseline, name, rule.statement, rule.metrics),
                hypothesis_verdict([verdicts.get(metric, "undecided") for metric in rule.metrics]),
            )
            for name, rule in HYPOTHESES.items()
        )
        compared = tuple(
            Comparison(
                *(student, baseline, row.metric),
                *(row.difference.value, row.difference.low, row.difference.high),
                *(row.n, row.verdict),
            )
            for row in found
        )
        for pair in pairs(ExperimentSummary("", (), compared, judged, (), {}, {})):
            numbers = {
                c.metric: shown(Interval(c.difference, c.low, c.high, c.n), signed=True) for c in compared
            }
            told.append({**pair, "place": place, "shown": numbers, "seeds": max(row.seeds for row in found)})
    return told

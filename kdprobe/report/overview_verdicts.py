"""What came out for each student of a sweep, in words and numbers."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from kdprobe.metrics import HYPOTHESES
from kdprobe.records import Comparison, ExperimentSummary, Hypothesis, Interval, PooledComparison
from kdprobe.report.cells import grouped
from kdprobe.report.findings import pairs
from kdprobe.report.overview_data import shown
from kdprobe.report.sweep_files import PAIR
from kdprobe.report.sweep_hypotheses import judged


def sweep_pairs(comparisons: Sequence[PooledComparison]) -> list[dict[str, Any]]:
    """As `findings.pairs`, with the `place`, numbers as people read them (`shown`, by metric) and `seeds`.

    A metric that was not compared leaves its hypothesis undecided.
    """
    told = []
    for (*place, student, baseline), found in grouped(comparisons, attrgetter(*PAIR)).items():
        hypotheses = tuple(
            Hypothesis(student, baseline, name, HYPOTHESES[name].statement, HYPOTHESES[name].metrics, verdict)
            for name, (_, verdict) in judged(found).items()
        )
        compared = tuple(
            Comparison(
                *(student, baseline, row.metric),
                *(row.difference.value, row.difference.low, row.difference.high),
                *(row.n, row.verdict),
            )
            for row in found
        )
        for pair in pairs(ExperimentSummary("", (), compared, hypotheses, (), {}, {})):
            numbers = {
                c.metric: shown(Interval(c.difference, c.low, c.high, c.n), signed=True) for c in compared
            }
            told.append({**pair, "place": place, "shown": numbers, "seeds": max(row.seeds for row in found)})
    return told

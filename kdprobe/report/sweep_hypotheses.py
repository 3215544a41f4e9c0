"""What a sweep says of the three hypotheses: one verdict for each student, data set, network and layer."""

from collections import Counter
from collections.abc import Sequence
from math import isnan
from operator import attrgetter

from kdprobe.metrics import HYPOTHESES, METRICS, hypothesis_verdict
from kdprobe.records import PooledComparison
from kdprobe.report.cells import (
    Cell,
    Column,
    Table,
    grouped,
    place_columns,
    span_text,
    text_cell,
    text_column,
)
from kdprobe.report.sweep_files import PAIR

SIGNS = {"supported": "+", "contradicted": "−", "undecided": "?"}


def judged(own: Sequence[PooledComparison]) -> dict[str, tuple[list[str], str]]:
    """By hypothesis: the verdicts on its metrics, and what follows; a metric that was not compared is undecided."""
    found = {row.metric: row.verdict for row in own}
    verdicts = {
        name: [found.get(metric, "undecided") for metric in rule.metrics] for name, rule in HYPOTHESES.items()
    }
    return {name: (each, hypothesis_verdict(each)) for name, each in verdicts.items()}


def hypotheses_table(comparisons: Sequence[PooledComparison]) -> Table:
    """The verdicts on H1, H2 and H3, and beside each those of its metrics: + for, − against, ? undecided."""
    rows, counts = [], {name: Counter() for name in HYPOTHESES}
    for pair, own in grouped(comparisons, attrgetter(*PAIR)).items():
        cells = []
        for name, (verdicts, follows) in judged(own).items():
            counts[name][follows] += 1
            each = ", ".join(
                f"{METRICS[metric].symbol} {SIGNS[verdict]}"
                for metric, verdict in zip(HYPOTHESES[name].metrics, verdicts, strict=True)
            )
            cells.append(Cell(follows, each, badge=True, fields=(follows,)))
        seeds = [row.seeds for row in own]
        rows.append((*map(text_cell, pair), *cells, Cell(span_text(seeds), fields=(max(seeds),))))
    columns = (
        *place_columns(),
        text_column("student", "key"),
        text_column("baseline"),
        *(Column(Cell(name), (name,)) for name in HYPOTHESES),
        text_column("seeds", align="r"),
    )
    return Table("Hypotheses", "tab:hypotheses", columns, tuple(rows), _caption(comparisons, counts))


def _caption(comparisons: Sequence[PooledComparison], counts: dict[str, Counter]) -> str:
    sentences = []
    for name, rule in HYPOTHESES.items():
        of_all = ", ".join(f"{verdict} in {counts[name][verdict]}" for verdict in SIGNS)
        sentences.append(f"{name} ({rule.statement.rstrip('.')}): {of_all} of {counts[name].total()} cases.")
    known = [row for row in comparisons if not isnan(row.p_holm)]
    decided = [row for row in known if row.verdict != "undecided"]
    certain = sum(row.p_holm < 0.05 for row in decided)
    sentences.append(
        "A hypothesis is supported if the intervals of all its metrics lie on its side of zero, contradicted if one "
        "lies on the other and none on its side, else undecided; each verdict is one of many, not corrected for "
        f"their number. Of {len(known)} comparisons of single metrics {len(decided)} are decided, "
        f"{certain} of these also after Holm's correction over all of them."
    )
    return " ".join(sentences)

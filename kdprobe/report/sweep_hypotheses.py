"""What a sweep says of the three hypotheses: one verdict for each student, data set, network and layer."""

from collections import Counter
from collections.abc import Sequence
from math import isnan

from kdprobe.metrics import HYPOTHESES, METRICS, hypothesis_verdict
from kdprobe.records import PooledComparison
from kdprobe.report.cells import Cell, Column, Table, span_text, text_cell, text_column

SIGNS = {"supported": "+", "contradicted": "−", "undecided": "?"}


def hypotheses_table(comparisons: Sequence[PooledComparison]) -> Table:
    """The verdicts on H1, H2 and H3, and beside each those of its metrics: + for, − against, ? undecided."""
    places: dict[tuple[str, ...], dict[str, PooledComparison]] = {}
    for row in comparisons:
        key = (row.data, row.model, row.layer, row.student, row.baseline)
        places.setdefault(key, {})[row.metric] = row
    rows, counts = [], {name: Counter() for name in HYPOTHESES}
    for (data, model, layer, student, baseline), found in places.items():
        cells = []
        for name, rule in HYPOTHESES.items():
            verdicts = [found[m].verdict if m in found else "undecided" for m in rule.metrics]
            judged = hypothesis_verdict(verdicts)
            counts[name][judged] += 1
            each = ", ".join(
                f"{METRICS[metric].symbol} {SIGNS[verdict]}"
                for metric, verdict in zip(rule.metrics, verdicts, strict=True)
            )
            cells.append(Cell(judged, each, badge=True, fields=(judged,)))
        seeds = [row.seeds for row in found.values()]
        names = map(text_cell, (data, model, layer, student, baseline))
        rows.append((*names, *cells, Cell(span_text(seeds), fields=(max(seeds),))))
    columns = (
        text_column("data", "section"),
        *(text_column(name, "key") for name in ("model", "layer", "student")),
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

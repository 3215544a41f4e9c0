"""Student against baseline."""

from dataclasses import dataclass

from kdprobe.records.metrics import Interval
from kdprobe.records.notebook import NotebookCell, NotebookTable, value_cell, verdict_text
from kdprobe.records.record import Record
from kdprobe.records.signs import metric_cell

_DIFFERENCE = "difference, 95 % interval"


@dataclass(frozen=True)
class Comparison(Record):
    """Student minus baseline in one metric, over the images valid in both."""

    student: str
    baseline: str
    metric: str
    difference: float
    low: float
    high: float
    n: int
    verdict: str  #: supported, contradicted or undecided

    def tables(self) -> list[NotebookTable]:
        difference = value_cell(self.difference, self.low, self.high, signed=True)
        row = metric_cell(self.metric), difference, str(self.n), verdict_text(self.verdict)
        head = ("metric", _DIFFERENCE, "n", "verdict")
        return [NotebookTable(f"{self.student} − {self.baseline}", head, [row])]


@dataclass(frozen=True)
class PooledComparison(Record):
    """Student against baseline in one metric, over the seeds of a sweep: one line of its comparisons.

    All intervals are of 95 %, over the images valid in both networks. NaN stands for a number that could not be had.
    """

    data: str
    model: str
    layer: str
    student: str
    baseline: str
    metric: str
    student_value: Interval  #: mean over the seeds; interval over images nested in seeds
    baseline_value: Interval  #: likewise
    difference: Interval  #: student - baseline; interval over images nested in seeds
    images: Interval  #: the same difference; interval over the images within these seeds
    seeds: int
    n: int  #: images that entered, all seeds together
    p_permutation: float
    p_wilcoxon: float
    p_nested: float  #: of new seeds; NaN with one seed
    #: p_nested (with one seed: p_permutation), corrected for all comparisons of the table that claim something of their
    #: own; NaN of the variance of D, which says what its standard deviation says
    p_holm: float
    effect: float  #: paired standardised difference
    detectable: float  #: smallest difference that would be found with 80 % power
    verdict: str  #: supported, contradicted or undecided

    def tables(self) -> list[NotebookTable]:
        values = [value_cell(v.value, v.low, v.high) for v in (self.student_value, self.baseline_value)]
        row = (
            metric_cell(self.metric),
            *values,
            value_cell(self.difference.value, self.difference.low, self.difference.high, signed=True),
            NotebookCell("n/a" if self.p_holm != self.p_holm else f"{self.p_holm:.2g}"),
            str(self.seeds),
            str(self.n),
            verdict_text(self.verdict),
        )
        head = ("metric", self.student, self.baseline, _DIFFERENCE, "p (Holm)", "seeds", "n", "verdict")
        return [
            NotebookTable(
                f"{self.data}, {self.model}, {self.layer}: {self.student} − {self.baseline}", head, [row]
            )
        ]


@dataclass(frozen=True)
class Hypothesis(Record):
    """One of the paper's three hypotheses, judged for one student against one baseline."""

    student: str
    baseline: str
    name: str  #: H1, H2 or H3
    statement: str  #: in words
    metrics: tuple[str, ...]
    verdict: str  #: supported, contradicted or undecided

    def tables(self) -> list[NotebookTable]:
        row = NotebookCell(self.name, self.statement), verdict_text(self.verdict)
        return [NotebookTable(f"{self.student} against {self.baseline}", ("hypothesis", "verdict"), [row])]

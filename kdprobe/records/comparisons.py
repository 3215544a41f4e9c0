"""Student against baseline."""

from dataclasses import dataclass

from kdprobe.records.metrics import Interval
from kdprobe.records.record import Record


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


@dataclass(frozen=True)
class Hypothesis(Record):
    """One of the paper's three hypotheses, judged for one student against one baseline."""

    student: str
    baseline: str
    name: str  #: H1, H2 or H3
    statement: str  #: in words
    metrics: tuple[str, ...]
    verdict: str  #: supported, contradicted or undecided

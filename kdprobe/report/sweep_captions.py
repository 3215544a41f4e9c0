"""What stands below the tables of a sweep: what brackets, bold and stars mean, how many seeds there are."""

from collections.abc import Sequence
from math import isnan

from kdprobe.records import PooledComparison
from kdprobe.report.cells import span_text

ARROWS = "Arrows: where the hypotheses expect a distilled student."
EQUAL_EPOCHS = "D and ρ compare only networks that were followed for the same number of epochs."
NESTED = (
    "In brackets: 95 % interval over images nested in seeds, which speaks of a new training seed as far as "
    "so few can."
)
ONE_SEED = "In brackets: 95 % interval over images; with one seed it leaves out the variation between seeds."
SOME_SEEDS = (
    "In brackets: 95 % interval over images nested in seeds; where seeds is 1, over images alone, without the "
    "variation between seeds."
)


def big_caption(comparisons: Sequence[PooledComparison]) -> str:
    """Below the big table."""
    return " ".join(
        (
            "Each student, and below it its baseline (same architecture, learned from labels alone) on the images "
            f"valid in both: mean over {seeds_text(comparisons)}.",
            brackets(comparisons),
            ARROWS,
            "Bold: the better of the two, only where the 95 % interval of their paired difference decides it "
            "(verdict not undecided).",
            f"*: significant at 5 % after {holm_text(comparisons)}.",
            "n: images, all seeds together, from the fewest to the most where metrics differ.",
            EQUAL_EPOCHS,
        )
    )


def comparisons_caption(comparisons: Sequence[PooledComparison]) -> str:
    """Below the table of all comparisons."""
    return " ".join(
        (
            "Difference student − baseline of the same images:",
            f"mean over {seeds_text(comparisons)}.",
            brackets(comparisons),
            "Over images: 95 % interval over the images within these seeds.",
            "p perm., p Wilc.: permutation and Wilcoxon signed-rank tests over images, two-sided: of no difference "
            "between these trained networks. p nested: of newly trained ones, the larger of p perm. and that of "
            "Student's t over the seeds.",
            f"p Holm: after {holm_text(comparisons)}; * below 5 %.",
            "Effect: mean paired difference over its standard deviation between images.",
            "Detectable: smallest true difference that this n would find in 80 % of repetitions, in the metric's unit.",
            "The verdict is that of the interval of the difference.",
            ARROWS,
            EQUAL_EPOCHS,
        )
    )


def brackets(comparisons: Sequence[PooledComparison]) -> str:
    """What the brackets hold, by the seeds that there are."""
    seeds = _seeds(comparisons)
    return ONE_SEED if seeds == [1] else SOME_SEEDS if 1 in seeds else NESTED


def holm_text(comparisons: Sequence[PooledComparison]) -> str:
    """What the correction was taken over, and of which tests."""
    count = sum(not isnan(row.p_holm) for row in comparisons)
    if count == 0:
        return "Holm's correction, which was not made here"
    seeds = _seeds(comparisons)
    if seeds == [1]:
        tests = "permutation tests (of these trained networks, not of newly trained ones)"
    elif 1 in seeds:
        tests = "nested tests (of newly trained networks; where seeds is 1, permutation tests of these alone)"
    else:
        tests = "nested tests (of newly trained networks)"
    return f"Holm's correction of the {tests} over all {count} comparisons of the sweep"


def seeds_text(comparisons: Sequence[PooledComparison]) -> str:
    """ "3 seeds", "1 seed", "2–3 seeds" """
    seeds = _seeds(comparisons)
    return f"{span_text(seeds)} {'seed' if seeds == [1] else 'seeds'}"


def _seeds(comparisons: Sequence[PooledComparison]) -> list[int]:
    """How many seeds comparisons have, without those of which nothing could be had."""
    return sorted({row.seeds for row in comparisons} - {0})

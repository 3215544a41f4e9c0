"""The metrics and the hypotheses, as facts that tables, reports and tests read."""

from math import inf
from typing import NamedTuple


class Metric(NamedTuple):
    """What is known of a metric before anything is measured."""

    symbol: str  #: as in the paper
    unit: str  #: "cells", "1" for a share, or the unit of distances
    range: tuple[float, float]  #: lowest and highest possible value; inf also for "the number of cells"
    higher_is_better: bool  #: True where the paper expects the student above the baseline
    statistic: str  #: mean, std or var of the per-image values (ddof 0)
    meaning: str  #: in words


class HypothesisRule(NamedTuple):
    """One of the paper's hypotheses and the metrics that decide it."""

    statement: str
    metrics: tuple[str, ...]  #: names in METRICS; the directions stand there


METRICS: dict[str, Metric] = {
    "n_foreground": Metric(
        "N_fg", "cells", (0.0, inf), True, "mean", "task-relevant concepts: concept cells on the foreground"
    ),
    "n_background": Metric(
        "N_bg",
        "cells",
        (0.0, inf),
        False,
        "mean",
        "task-irrelevant concepts: concept cells on the background",
    ),
    "relevance_ratio": Metric(
        "lambda", "1", (0.0, 1.0), True, "mean", "share of an image's concepts that are task-relevant"
    ),
    "learning_distance_mean": Metric(
        "D_mean",
        "initial weight norms",
        (0.0, inf),
        False,
        "mean",
        "how far the weights move until an image has most foreground concepts",
    ),
    "learning_distance_std": Metric(
        "D_std", "initial weight norms", (0.0, inf), False, "std", "spread of that distance over the images"
    ),
    "learning_distance_var": Metric(
        "D_var",
        "initial weight norms²",
        (0.0, inf),
        False,
        "var",
        "variance of that distance over the images (the paper's equation for D_std)",
    ),
    "stability": Metric(
        "rho", "1", (0.0, 1.0), True, "mean", "share of the foreground concepts ever learned that is kept"
    ),
}

HYPOTHESES: dict[str, HypothesisRule] = {
    "H1": HypothesisRule(
        "Distillation makes a network learn more task-relevant and fewer task-irrelevant visual concepts.",
        ("n_foreground", "n_background", "relevance_ratio"),
    ),
    "H2": HypothesisRule(
        "Distillation makes a network learn the concepts of different images faster and more simultaneously.",
        ("learning_distance_mean", "learning_distance_std"),
    ),
    "H3": HypothesisRule(
        "Distillation makes a network give up fewer of the concepts that it has learned.",
        ("stability",),
    ),
}

#: Metrics of which a hypothesis claims something, those of the paper's table. The variance of D is none: it says what
#: the standard deviation says, in another unit.
CLAIMS: tuple[str, ...] = tuple(metric for rule in HYPOTHESES.values() for metric in rule.metrics)

"""From entropy maps and weights to the numbers of the three hypotheses, with intervals and verdicts."""

from kdprobe.metrics.agreement import seed_agreement
from kdprobe.metrics.cells import cells_from_mask
from kdprobe.metrics.concepts import (
    baseline_entropy,
    concept_cells,
    count_concepts,
    count_values,
    relevance_ratio,
)
from kdprobe.metrics.count_interval import count_interval
from kdprobe.metrics.effect import detectable_difference
from kdprobe.metrics.forgetting import Forgetting, LearnedSets, forgetting, learned_sets, stability_so_far
from kdprobe.metrics.histogram import entropy_histogram
from kdprobe.metrics.inference import bootstrap_interval, hypothesis_verdict, paired_difference, verdict
from kdprobe.metrics.learning import learning_distance, weight_path
from kdprobe.metrics.margin_curve import MARGINS, margin_area, margin_curve
from kdprobe.metrics.nested import nested_difference, nested_interval
from kdprobe.metrics.noise import noise_ceiling, noise_redraws, redraw
from kdprobe.metrics.overlap import WhoFirst, chance_overlap, concept_overlap, first_epoch, who_first
from kdprobe.metrics.per_image import concept_values, image_values
from kdprobe.metrics.sample_filter import effective_samples
from kdprobe.metrics.significance import difference_tests, holm
from kdprobe.metrics.stability import stability
from kdprobe.metrics.still import StillMaps, still_maps
from kdprobe.metrics.table import CLAIMS, HYPOTHESES, METRICS, HypothesisRule, Metric
from kdprobe.metrics.weight_walk import WeightWalk

__all__ = [
    "CLAIMS",
    "HYPOTHESES",
    "MARGINS",
    "METRICS",
    "Forgetting",
    "HypothesisRule",
    "LearnedSets",
    "Metric",
    "StillMaps",
    "WeightWalk",
    "WhoFirst",
    "baseline_entropy",
    "bootstrap_interval",
    "cells_from_mask",
    "chance_overlap",
    "concept_cells",
    "concept_overlap",
    "concept_values",
    "count_concepts",
    "count_interval",
    "count_values",
    "detectable_difference",
    "difference_tests",
    "effective_samples",
    "entropy_histogram",
    "first_epoch",
    "forgetting",
    "holm",
    "hypothesis_verdict",
    "image_values",
    "learned_sets",
    "learning_distance",
    "margin_area",
    "margin_curve",
    "nested_difference",
    "nested_interval",
    "noise_ceiling",
    "noise_redraws",
    "paired_difference",
    "redraw",
    "relevance_ratio",
    "seed_agreement",
    "stability",
    "stability_so_far",
    "still_maps",
    "verdict",
    "weight_path",
    "who_first",
]

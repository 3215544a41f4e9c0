"""From entropy maps and weights to the numbers of the three hypotheses, with intervals and verdicts."""

from kdprobe.metrics.cells import cells_from_mask
from kdprobe.metrics.concepts import baseline_entropy, concept_cells, count_concepts, relevance_ratio
from kdprobe.metrics.count_interval import count_interval
from kdprobe.metrics.inference import bootstrap_interval, hypothesis_verdict, paired_difference, verdict
from kdprobe.metrics.learning import learning_distance, weight_path
from kdprobe.metrics.noise import noise_ceiling, noise_redraws, redraw
from kdprobe.metrics.per_image import image_values
from kdprobe.metrics.sample_filter import effective_samples
from kdprobe.metrics.stability import stability
from kdprobe.metrics.table import HYPOTHESES, METRICS, HypothesisRule, Metric

__all__ = [
    "HYPOTHESES",
    "METRICS",
    "HypothesisRule",
    "Metric",
    "baseline_entropy",
    "bootstrap_interval",
    "cells_from_mask",
    "concept_cells",
    "count_concepts",
    "count_interval",
    "effective_samples",
    "hypothesis_verdict",
    "image_values",
    "learning_distance",
    "noise_ceiling",
    "noise_redraws",
    "paired_difference",
    "redraw",
    "relevance_ratio",
    "stability",
    "verdict",
    "weight_path",
]

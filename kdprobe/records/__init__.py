"""Frozen records that are handed between the floors. They hold; they do not compute."""

from kdprobe.records.comparisons import Comparison, Hypothesis, PooledComparison
from kdprobe.records.estimates import EntropyResult, Outcome, Sample
from kdprobe.records.experiment import ConceptMaps, ExperimentSummary, NetworkSummary, UnmeasuredNetwork
from kdprobe.records.metrics import (
    CountInterval,
    DifferenceTests,
    ImageMean,
    Interval,
    LearningDistance,
    NestedInterval,
)
from kdprobe.records.record import Record

__all__ = [
    "Comparison",
    "ConceptMaps",
    "CountInterval",
    "DifferenceTests",
    "EntropyResult",
    "ExperimentSummary",
    "Hypothesis",
    "ImageMean",
    "Interval",
    "LearningDistance",
    "NestedInterval",
    "NetworkSummary",
    "Outcome",
    "PooledComparison",
    "Record",
    "Sample",
    "UnmeasuredNetwork",
]

"""Frozen records that are handed between the floors. They hold, and notebooks show them."""

from kdprobe.records.comparisons import Comparison, Hypothesis, PooledComparison
from kdprobe.records.estimates import EntropyResult, Outcome, Sample
from kdprobe.records.experiment import ConceptMaps, ExperimentSummary, NetworkSummary, UnmeasuredNetwork
from kdprobe.records.explorer import Explorer, ExplorerLayer, ExplorerNetwork
from kdprobe.records.metrics import (
    NO_VALUE,
    CountInterval,
    DifferenceTests,
    ImageMean,
    Interval,
    LearningDistance,
    NestedInterval,
)
from kdprobe.records.notebook import NotebookTable
from kdprobe.records.record import Record, Records

__all__ = [
    "NO_VALUE",
    "Comparison",
    "ConceptMaps",
    "CountInterval",
    "DifferenceTests",
    "EntropyResult",
    "ExperimentSummary",
    "Explorer",
    "ExplorerLayer",
    "ExplorerNetwork",
    "Hypothesis",
    "ImageMean",
    "Interval",
    "LearningDistance",
    "NestedInterval",
    "NetworkSummary",
    "NotebookTable",
    "Outcome",
    "PooledComparison",
    "Record",
    "Records",
    "Sample",
    "UnmeasuredNetwork",
]

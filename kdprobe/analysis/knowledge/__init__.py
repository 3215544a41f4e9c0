"""What networks know and when, beyond the hypotheses: tables over epochs, images, classes, margins and seeds."""

from kdprobe.analysis.knowledge.concepts import forgetting_rows, overlap_rows, set_rows
from kdprobe.analysis.knowledge.counted import CountedNetwork, CountedUnit, count_unit
from kdprobe.analysis.knowledge.images import histogram_rows, peak_rows
from kdprobe.analysis.knowledge.margins import area_rows, margin_rows
from kdprobe.analysis.knowledge.networks import accuracy_rows, curve_rows, network_rows
from kdprobe.analysis.knowledge.paired import paired_rows
from kdprobe.analysis.knowledge.seeds import agreement_rows, class_rows
from kdprobe.analysis.knowledge.tables import COLUMNS, knowledge_tables, tables_of

__all__ = [
    "COLUMNS",
    "CountedNetwork",
    "CountedUnit",
    "accuracy_rows",
    "agreement_rows",
    "area_rows",
    "class_rows",
    "count_unit",
    "curve_rows",
    "forgetting_rows",
    "histogram_rows",
    "knowledge_tables",
    "margin_rows",
    "network_rows",
    "overlap_rows",
    "paired_rows",
    "peak_rows",
    "set_rows",
    "tables_of",
]

"""Pictures of records: a record and an `ax` in, the `ax` out; nothing is computed.

The only room that knows matplotlib; no pyplot state is touched. `curves_figure`, `maps_figure` and
`table_figure` compose whole figures; `save` writes one as PDF and PNG, byte-equal whenever it is drawn
again from the same record.
"""

from kdprobe.plots.accuracy import accuracy_figure
from kdprobe.plots.agreement import agreement_figure, interval_rows
from kdprobe.plots.concept_curves import COURSES, concept_curves_figure, course_panel, peaks_of
from kdprobe.plots.concept_sets import ConceptSets, concept_sets_figure, sets_panel
from kdprobe.plots.contact_sheet import contact_sheet
from kdprobe.plots.curves import curves, curves_figure
from kdprobe.plots.detours import detours_figure
from kdprobe.plots.entropy_histograms import Histogram, entropy_histograms_figure, histogram_panel
from kdprobe.plots.grid import metrics_table, table_figure
from kdprobe.plots.layers import LayerComparison, layers_figure, layers_panel
from kdprobe.plots.maps import concept_map, entropy_map, photograph
from kdprobe.plots.maps_figure import maps_figure
from kdprobe.plots.margins import MARGIN_METRICS, MarginCurve, margins_figure
from kdprobe.plots.overlap import FIRST, SHARED, Firsts, firsts_panel, overlap_figure
from kdprobe.plots.page import WIDTHS
from kdprobe.plots.peak_epochs import Peaks, peak_epochs_figure, ridge_panel
from kdprobe.plots.save import png_bytes, save
from kdprobe.plots.seed_lines import SeedLine, seed_lines
from kdprobe.plots.sensitivity import Sensitivity, sensitivity_figure, sensitivity_panel
from kdprobe.plots.strips import strips_figure
from kdprobe.plots.style import network_styles
from kdprobe.plots.symbols import unit
from kdprobe.plots.work import Point, work_figure, work_panel
from kdprobe.records.numbers import decimals, interval_text, number

__all__ = [
    "COURSES",
    "FIRST",
    "MARGIN_METRICS",
    "SHARED",
    "WIDTHS",
    "ConceptSets",
    "Firsts",
    "Histogram",
    "LayerComparison",
    "MarginCurve",
    "Peaks",
    "Point",
    "SeedLine",
    "Sensitivity",
    "accuracy_figure",
    "agreement_figure",
    "concept_curves_figure",
    "concept_map",
    "concept_sets_figure",
    "contact_sheet",
    "course_panel",
    "curves",
    "curves_figure",
    "decimals",
    "detours_figure",
    "entropy_histograms_figure",
    "entropy_map",
    "firsts_panel",
    "histogram_panel",
    "interval_rows",
    "interval_text",
    "layers_figure",
    "layers_panel",
    "maps_figure",
    "margins_figure",
    "metrics_table",
    "network_styles",
    "number",
    "overlap_figure",
    "peak_epochs_figure",
    "peaks_of",
    "photograph",
    "png_bytes",
    "ridge_panel",
    "save",
    "seed_lines",
    "sensitivity_figure",
    "sensitivity_panel",
    "sets_panel",
    "strips_figure",
    "table_figure",
    "unit",
    "work_figure",
    "work_panel",
]

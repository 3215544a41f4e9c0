"""Pictures of records: a record and an `ax` in, the `ax` out; nothing is computed.

The only room that knows matplotlib; no pyplot state is touched. `curves_figure`, `maps_figure` and
`table_figure` compose whole figures; `save` writes one as PDF and PNG, byte-equal whenever it is drawn
again from the same record.
"""

from kdprobe.plots.agreement import agreement_figure, interval_rows
from kdprobe.plots.contact_sheet import contact_sheet
from kdprobe.plots.curves import curves, curves_figure
from kdprobe.plots.grid import metrics_table, table_figure
from kdprobe.plots.maps import concept_map, entropy_map, photograph
from kdprobe.plots.maps_figure import maps_figure
from kdprobe.plots.numbers import decimals, interval_text, number
from kdprobe.plots.save import png_bytes, save
from kdprobe.plots.style import network_styles
from kdprobe.plots.symbols import unit
from kdprobe.plots.work import Point, work_figure, work_panel

__all__ = [
    "Point",
    "agreement_figure",
    "concept_map",
    "contact_sheet",
    "curves",
    "curves_figure",
    "decimals",
    "entropy_map",
    "interval_rows",
    "interval_text",
    "maps_figure",
    "metrics_table",
    "network_styles",
    "number",
    "photograph",
    "png_bytes",
    "save",
    "table_figure",
    "unit",
    "work_figure",
    "work_panel",
]

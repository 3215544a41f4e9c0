"""All tables of knowledge from the units of a sweep, and what their columns are called."""

from collections.abc import Iterable

from kdprobe.analysis.knowledge.concepts import forgetting_rows, overlap_rows, set_rows
from kdprobe.analysis.knowledge.counted import CountedUnit, count_unit
from kdprobe.analysis.knowledge.fields import KEY, Row
from kdprobe.analysis.knowledge.images import histogram_rows, peak_rows
from kdprobe.analysis.knowledge.margins import area_rows, margin_rows
from kdprobe.analysis.knowledge.networks import accuracy_rows, curve_rows, network_rows
from kdprobe.analysis.knowledge.paired import paired_rows
from kdprobe.analysis.knowledge.seeds import agreement_rows, class_rows
from kdprobe.analysis.unit import Unit

_INTERVAL = ("value", "low", "high", "n")
_POOLED = (*KEY, "network", "role")
_NETWORK = (*_POOLED, "seed")

#: columns of every table; a row leaves out what is empty
COLUMNS: dict[str, tuple[str, ...]] = {
    "networks": (*_NETWORK, "accuracy", "metric", *_INTERVAL),
    "curves": (*_NETWORK, "epoch", "path", "metric", *_INTERVAL),
    "peaks": (*_NETWORK, "image", "class", "peak_epoch", "distance"),
    "histograms": (*_NETWORK, "cells", "low_edge", "high_edge", "count", "baseline_entropy", "margin"),
    "forgetting": (
        *_NETWORK,
        "epoch",
        "cells",
        "present",
        "gained",
        "lost",
        "ever",
        "n",
        "gained_still",
        "lost_still",
    ),
    "sets": (*_NETWORK, "cells", "learned", "kept", "discarded", "n"),
    "overlap": (
        *(*_NETWORK, "epoch", "cells", "iou", "low", "high", "n"),
        *(
            "student_first",
            "teacher_first",
            "together",
            "teacher_alone",
            "student_alone",
            "chance",
            "iou_still",
        ),
    ),
    "accuracy": (*_NETWORK, "epoch", "accuracy", "metric", "value"),
    "agreement": (*_POOLED, "cells", "seeds", "iou", "low", "high", "n", "chance"),
    "classes": (*_POOLED, "class", "metric", *_INTERVAL, "seeds"),
    "margins": (
        *(*KEY, "student", "network", "role", "margin", "relevance_ratio", "n_foreground", "n_background"),
        *("seeds", "n", "learning_distance_mean", "learning_distance_std", "stability"),
    ),
    "area": (*_POOLED, "area", "low", "high", "n", "seeds", "last_margin"),
    "paired": (
        *(*KEY, "student", "quantity", "cells", "difference", "low", "high", "images_low", "images_high"),
        *("seeds", "n"),
    ),
}

_OF_A_UNIT = {
    "networks": network_rows,
    "curves": curve_rows,
    "peaks": peak_rows,
    "histograms": histogram_rows,
    "forgetting": forgetting_rows,
    "sets": set_rows,
    "overlap": overlap_rows,
    "accuracy": accuracy_rows,
}
_OVER_SEEDS = {
    "agreement": agreement_rows,
    "classes": class_rows,
    "margins": margin_rows,
    "area": area_rows,
    "paired": paired_rows,
}


def knowledge_tables(units: Iterable[Unit]) -> dict[str, list[Row]]:
    """Name of the table (of COLUMNS) -> its rows, dicts by column, without what is empty.

    Units may come from a generator: the noise of the maps, most of their memory, is held of one unit at a time. Raises
    what counting raises.
    """
    return tables_of(list(map(count_unit, units)))  # a loop would hold each unit until the next has been read


def tables_of(counted: list[CountedUnit]) -> dict[str, list[Row]]:
    """The same of units that are counted already."""
    found = {name: [row for each in counted for row in rows(each)] for name, rows in _OF_A_UNIT.items()}
    return found | {name: rows(counted) for name, rows in _OVER_SEEDS.items()}

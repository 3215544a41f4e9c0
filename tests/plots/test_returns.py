"""A law over the room: what is given an `ax` gives back that very ax, and what composes gives back a Figure."""

import inspect

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report.summaries import concept_maps, summary

from kdprobe import plots
from kdprobe.plots import (
    COURSES,
    FIRST,
    MARGIN_METRICS,
    ConceptSets,
    Firsts,
    Histogram,
    LayerComparison,
    MarginCurve,
    Peaks,
    Point,
    SeedLine,
    Sensitivity,
    network_styles,
)
from kdprobe.records import Interval

SUMMARY, MAPS = summary(1), concept_maps(["student"], (0, 1))
NETWORKS, CELLS = SUMMARY.networks, concept_maps(["student"], (0, 1)).entropy["student"][0]
VALUE = Interval(0.5, 0.4, 0.6, 9)
LINE = SeedLine("student", "student", "0", (0, 1), (0.0, 0.3), (0.2, 0.6))
LINES = {"gained": [LINE], "lost": [LINE], "present": [LINE], "ever": [LINE]}
STYLES = network_styles(NETWORKS) | {"student": network_styles(NETWORKS)["student-feature"]}
SETS = ConceptSets("student", "student", "0", "foreground", 20.0, 15.0, 5.0, 40, 0.7)
PEAKS = Peaks("student", "student", "0", (1, 2), (0.1, 0.4))
FIRSTS = Firsts("student", "student", "0", dict.fromkeys(FIRST, 0.2))
ENTROPIES = Histogram("student", "student", "0", "foreground", (-3.0, -2.9, -2.8), (3, 1), -2.7, 0.2)
LAYER = LayerComparison("fc1", "stability", VALUE, VALUE, "supported")
CHOICE = Sensitivity("margin", "0.1", "n_foreground", 2.0, 1.0, 3.0, "supported", True)
WORK, FLOOR = [Point("pathwise", 10, 0.1)], Point("sgd", 100, 0.02)
MARGINS = MarginCurve("student", "student", (0.1, 0.2), dict.fromkeys(MARGIN_METRICS, (0.3, 0.4)), 1, (9,))
CALLS = {  # what each is given, after the ax if it takes one
    "accuracy_figure": ({"stability": [LINE]}, (9,)),
    "agreement_figure": (
        {"student": {"a": VALUE}},
        {"student": {"a": VALUE}},
        {"student": "student"},
        0.1,
        0.6,
    ),
    "concept_curves_figure": ({(metric, x): [LINE] for metric in COURSES for x in ("epoch", "path")},),
    "concept_map": (MAPS.image, CELLS > -3, MAPS.foreground_cells, MAPS.foreground),
    "concept_sets_figure": ([SETS],),
    "contact_sheet": ([np.zeros((4, 4, 3))], [None], [("a", "b")]),
    "course_panel": ([LINE], "n_foreground", "epoch", {}),
    "curves": (NETWORKS, "n_foreground"),
    "curves_figure": (SUMMARY,),
    "detours_figure": (LINES,),
    "entropy_histograms_figure": ([ENTROPIES],),
    "entropy_map": (CELLS,),
    "firsts_panel": ([FIRSTS],),
    "histogram_panel": ([ENTROPIES],),
    "interval_rows": ({"student": {"a": VALUE}}, STYLES),
    "layers_figure": ([LAYER], "student"),
    "layers_panel": ([LAYER], "student"),
    "maps_figure": (MAPS,),
    "margins_figure": ([MARGINS], {"student": VALUE}),
    "metrics_table": (NETWORKS, SUMMARY.comparisons),
    "overlap_figure": ({"foreground": [LINE], "background": [LINE]}, {"foreground": [FIRSTS]}),
    "peak_epochs_figure": ([PEAKS],),
    "photograph": (MAPS.image, MAPS.foreground),
    "ridge_panel": ([PEAKS], "epochs"),
    "seed_lines": ([LINE], STYLES),
    "sensitivity_figure": ([CHOICE], [3], [118]),
    "sensitivity_panel": ([CHOICE], "n_foreground", [("margin", ""), ("margin", "0.1")]),
    "sets_panel": ([SETS],),
    "strips_figure": ([MAPS],),
    "table_figure": (SUMMARY,),
    "work_figure": ({"case": (WORK, FLOOR)}, "4 images each"),
    "work_panel": (WORK, FLOOR),
}
OPTIONS = {
    "contact_sheet": {"title": "train", "subtitle": "1 image"},
    "entropy_map": {"low": -4, "high": -2},
    "sets_panel": {"largest": 50},
}


def drawing() -> dict[str, type]:
    """Every public function of the room that says it gives back something drawn."""
    found = {}
    for name in plots.__all__:
        if inspect.isfunction(getattr(plots, name)):
            kind = inspect.signature(getattr(plots, name)).return_annotation
            if kind in (Axes, Figure) or "ax" in inspect.signature(getattr(plots, name)).parameters:
                found[name] = kind
    return found


def test_the_table_of_calls_has_every_function_that_draws():
    assert sorted(CALLS) == sorted(drawing())


@pytest.mark.parametrize("name", CALLS)
def test_what_is_drawn_comes_back(ax, name):
    function = getattr(plots, name)
    takes_ax = "ax" in inspect.signature(function).parameters
    found = function(*((ax,) if takes_ax else ()), *CALLS[name], **OPTIONS.get(name, {}))
    if takes_ax:
        assert found is ax and drawing()[name] is Axes
        assert ax.has_data() or ax.texts or ax.patches
    else:
        assert isinstance(found, Figure) and found.axes and drawing()[name] is Figure

"""Differences by choice, layers side by side, curves over the margin: points and bars are the record's numbers."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from kdprobe.errors import InputError
from kdprobe.plots import (
    MARGIN_METRICS,
    LayerComparison,
    MarginCurve,
    SeedLine,
    Sensitivity,
    accuracy_figure,
    layers_figure,
    layers_panel,
    margins_figure,
    sensitivity_figure,
    sensitivity_panel,
)
from kdprobe.plots.sensitivity import MARKERS, choice_rows
from kdprobe.plots.style import VERDICT_COLOURS
from kdprobe.records import Interval

NAN = float("nan")
FOUND = [
    Sensitivity("margin", "0.1", "n_foreground", 2.0, 1.0, 3.0, "supported", False),
    Sensitivity("margin", "0.2", "n_foreground", -1.0, -3.0, 1.0, "undecided", True),
    Sensitivity("grid", "8", "n_foreground", -4.0, -5.0, -3.0, "contradicted", False),
    Sensitivity("grid", "16", "n_foreground", NAN, NAN, NAN, "undecided", True),
]
ROWS = [("margin", ""), ("margin", "0.1"), ("margin", "0.2"), ("grid", ""), ("grid", "8"), ("grid", "16")]


def test_rows_are_headed_by_their_choice():
    assert choice_rows(FOUND) == ROWS


def test_points_bars_and_forms_are_the_records(ax):
    assert sensitivity_panel(ax, FOUND, "n_foreground", ROWS) is ax
    points = [line for line in ax.lines if line.get_marker() != "None"]
    assert [(p.get_xdata()[0], p.get_ydata()[0]) for p in points] == [(2.0, 1), (-1.0, 2), (-4.0, 4)]
    assert [p.get_marker() for p in points] == [MARKERS[one.verdict] for one in FOUND[:3]]
    assert [p.get_color() for p in points] == [VERDICT_COLOURS[one.verdict] for one in FOUND[:3]]
    bars = [c.get_segments()[0].tolist() for c in ax.collections]
    assert bars == [[[1, 1], [3, 1]], [[-3, 2], [1, 2]], [[-5, 4], [-3, 4]]]


def test_the_default_of_every_choice_is_shaded(ax):
    sensitivity_panel(ax, FOUND, "n_foreground", ROWS)
    assert [patch.get_y() + patch.get_height() / 2 for patch in ax.patches] == [2, 5]


def test_every_panel_says_where_better_lies():
    found = [one._replace(metric=metric) for metric in ("n_foreground", "n_background") for one in FOUND]
    figure = sensitivity_figure(found, [3], [118])
    assert [ax.get_xlabel().split("\n")[1] for ax in figure.axes] == ["→ better", "better ←"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][:2] == ["margin", "0.1"]
    with pytest.raises(InputError, match="at least one metric"):
        sensitivity_figure([], [], [])


def comparison(layer, student, baseline, verdict="supported", metric="stability"):
    student, baseline = (Interval(v, v - 0.1, v + 0.1, 30) for v in (student, baseline))
    return LayerComparison(layer, metric, student, baseline, verdict)


def test_layers_stand_in_their_order_with_both_values_and_the_sign_of_the_verdict(ax):
    found = [comparison("fc1", 0.7, 0.6), comparison("conv", 0.5, 0.55, "contradicted")]
    assert layers_panel(ax, found, "student-kd") is ax
    points = {
        (line.get_xdata()[0], round(line.get_ydata()[0])) for line in ax.lines if line.get_marker() != "None"
    }
    assert points == {(0.7, 0), (0.6, 0), (0.5, 1), (0.55, 1)}
    assert [(t.get_text(), to_hex(t.get_color()).upper()) for t in ax.texts] == [
        ("✓", VERDICT_COLOURS["supported"]), ("✗", VERDICT_COLOURS["contradicted"]),
    ]  # fmt: skip
    with pytest.raises(InputError, match="a layer twice"):
        layers_panel(ax, [found[0], found[0]], "student-kd")
    with pytest.raises(InputError, match="at least one comparison"):
        layers_figure([], "student-kd")


def test_a_metric_that_one_layer_lacks_leaves_the_row_of_that_layer_empty():
    found = [
        comparison("conv", 0.5, 0.55, "contradicted", "n_foreground"),
        comparison("fc1", 0.7, 0.6, "supported", "n_foreground"),
        comparison("fc1", 0.8, 0.9, "supported", "stability"),
        comparison("fc2", 0.4, 0.3, "undecided", "stability"),
    ]
    counts, stability = layers_figure(found, "student-kd").axes
    assert [label.get_text() for label in counts.get_yticklabels()] == ["conv", "fc1", "fc2"]
    for ax, rows, signs in (
        (counts, {0, 1}, [("✗", 0), ("✓", 1)]),
        (stability, {1, 2}, [("✓", 1), ("?", 2)]),
    ):
        assert ax.get_ylim() == (2.5, -0.5)
        assert {round(line.get_ydata()[0]) for line in ax.lines if line.get_marker() != "None"} == rows
        assert [(t.get_text(), t.get_position()[1]) for t in ax.texts] == signs


def test_layers_and_margins_without_values_say_so():
    nothing = Interval(NAN, NAN, NAN, 0)
    found = [LayerComparison("fc1", "stability", nothing, nothing, "undecided")]
    (ax,) = layers_figure(found, "student-kd").axes
    assert [t.get_text() for t in ax.texts] == ["no values", "?"]
    values = dict.fromkeys(MARGIN_METRICS, (NAN, NAN))
    figure = margins_figure([MarginCurve("s", "student", (0.1, 0.2), values, 1, (0, 0))], {"s": nothing})
    assert [[t.get_text() for t in ax.texts] for ax in figure.axes] == [["no values"]] * 4


def test_curves_over_the_margin_and_their_area_are_the_records():
    values = {metric: np.array([1.0, 2.0, 1.5]) * (k + 1) for k, metric in enumerate(MARGIN_METRICS)}
    curve = MarginCurve("s", "student", (0.1, 0.2, 0.3), values, 3, (40, 39))
    figure = margins_figure([curve], {"s": Interval(0.5, 0.4, 0.7, 40), "nobody": Interval(0, 0, 0, 1)})
    for ax, metric in zip(figure.axes, MARGIN_METRICS, strict=False):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), values[metric])
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), curve.margins)
    area = figure.axes[3]
    assert area.lines[0].get_xdata().tolist() == [0.5] and len(area.lines) == 1
    assert area.collections[0].get_segments()[0][:, 0].tolist() == [0.4, 0.7]
    assert "39 to 40 images and 3 seeds" in figure.get_supxlabel()
    assert not margins_figure([curve], {}).axes[3].axison
    with pytest.raises(InputError, match="at least one network"):
        margins_figure([], {})


def test_metrics_are_drawn_over_the_accuracy_with_the_last_epoch_ringed():
    line = SeedLine("s", "student", "0", (0, 1, 2), (0.1, 0.5, 0.4), (1.0, 5.0, 6.0))
    figure = accuracy_figure({"n_foreground": [line], "stability_so_far": []}, (39, 40))
    (ax,) = figure.axes
    path, ring = ax.lines
    assert path.get_xdata().tolist() == [0.1, 0.5, 0.4] and path.get_ydata().tolist() == [1.0, 5.0, 6.0]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (0.4, 6.0)
    with pytest.raises(InputError, match="at least one metric"):
        accuracy_figure({"n_foreground": []}, ())

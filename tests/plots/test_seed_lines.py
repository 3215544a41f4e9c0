"""Thin lines are the seeds, the thick one is their mean, and nothing is invented where a seed has no value."""

import numpy as np
import pytest

from kdprobe.errors import InputError
from kdprobe.plots import SeedLine, concept_curves_figure, course_panel, peaks_of, seed_lines
from kdprobe.plots.concept_curves import COURSES
from kdprobe.plots.seed_lines import lines_text, mean_line, styles_of

NAN = float("nan")
A = SeedLine(
    "s", "student", "0", (0, 1, 2), (0.0, 0.2, 0.4), (1.0, 5.0, 3.0), (0, 4, 2), (2, 6, 4), (8, 9, 9)
)
B = A._replace(seed="1", x=(0.0, 0.4, 0.6), y=(3.0, 3.0, 4.0))
ONCE = SeedLine("t", "teacher", "0", (7,), (0.9,), (6.0,))


def drawn(ax):
    return [(line.get_linewidth(), list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]


def test_thin_lines_are_the_seeds_and_the_thick_one_is_their_mean(ax):
    assert seed_lines(ax, [A, B], styles_of([A])) is ax
    thin, other, thick = drawn(ax)
    assert thin[1:] == ([0.0, 0.2, 0.4], [1.0, 5.0, 3.0]) and other[2] == [3.0, 3.0, 4.0]
    np.testing.assert_allclose(thick[1:], [[0.0, 0.3, 0.5], [2.0, 4.0, 3.5]])
    assert thick[0] > thin[0] == other[0] and len(ax.collections) == 0  # seeds show the spread; no band


def test_the_mean_has_the_epochs_that_all_seeds_have_and_no_value_where_one_has_none():
    short = B._replace(epochs=(1, 2), x=(0.4, 0.6), y=(NAN, 4.0))
    mean = mean_line([A, short])
    assert mean.epochs == [1, 2]
    np.testing.assert_allclose(mean.x, [0.3, 0.5])
    np.testing.assert_array_equal(mean.y, [NAN, 3.5])
    with pytest.raises(InputError, match="at least one seed"):
        mean_line([])


def test_a_lone_seed_is_thick_and_has_its_band(ax):
    seed_lines(ax, [A], styles_of([A]))
    assert len(ax.lines) == len(ax.collections) == 1
    corners = {tuple(corner) for corner in ax.collections[0].get_paths()[0].vertices}
    assert {(0.2, 4.0), (0.2, 6.0), (0.4, 2.0)} <= corners


def test_a_network_measured_once_is_a_level_line_or_else_a_point(ax):
    seed_lines(ax, [ONCE], styles_of([ONCE]))
    assert drawn(ax)[0][2] == [6.0, 6.0]
    seed_lines(ax, [ONCE], styles_of([ONCE]), level=False)
    assert drawn(ax)[1][1:] == ([0.9], [6.0])


def test_the_mark_stands_on_the_mean(ax):
    seed_lines(ax, [A, B], styles_of([A]), marks={"s": 1, "nobody": 2})
    assert drawn(ax)[-1][1:] == ([pytest.approx(0.3)], [4.0])
    assert ax.lines[-1].get_markersize() > ax.lines[-2].get_markersize()


def test_no_value_at_all_is_said(ax):
    seed_lines(ax, [A._replace(y=(NAN,) * 3)], styles_of([A]))
    assert [t.get_text() for t in ax.texts] == ["no values"]


def test_words_say_seeds_bands_and_n():
    assert (
        lines_text([A, B])
        == "Thin lines: mean over 8 to 9 images of each of 2 seeds; thick: mean of the seeds."
    )
    assert lines_text([A]) == "Lines: mean over 8 to 9 images, one seed; bands: 95 % intervals over images."
    assert (
        lines_text([ONCE]) == "Lines: mean over images, one seed. Level lines: measured at one epoch alone."
    )


def test_the_peak_is_the_first_greatest_mean_after_epoch_zero():
    high_start = A._replace(y=(9.0, 5.0, 5.0))
    assert peaks_of([A, B, ONCE]) == {"s": 1}
    assert peaks_of([high_start]) == {"s": 1}
    assert peaks_of([A._replace(y=(1.0, NAN, NAN))]) == {}


def test_course_panels_start_at_zero_cells_and_name_their_axes(ax):
    course_panel(ax, [A], "n_foreground", "path", {})
    assert ax.get_ylim()[0] == 0
    assert "N_" in ax.get_ylabel() and "/ cells" in ax.get_ylabel() and "w_0" in ax.get_xlabel()


def test_missing_panels_and_other_widths_are_named():
    courses = {(metric, place): [A] for metric in COURSES for place in ("epoch", "path")}
    with pytest.raises(InputError, match="'one' or 'two' columns wide, got 'three'"):
        concept_curves_figure(courses, column="three")
    with pytest.raises(InputError, match="no curves of relevance_ratio over path"):
        concept_curves_figure(courses | {("relevance_ratio", "path"): []})

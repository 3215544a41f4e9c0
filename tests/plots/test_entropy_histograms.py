"""Histograms have area 1, their mean invents no bin, and H-bar and the margin stand where the record says."""

import numpy as np
import pytest

from kdprobe.errors import InputError
from kdprobe.plots import Histogram, entropy_histograms_figure, histogram_panel
from kdprobe.plots.entropy_histograms import densities, mean_density

A = Histogram("s", "student", "0", "foreground", (-3.0, -2.9, -2.8), (3, 1), -2.7, 0.2)
B = A._replace(seed="1", edges=(-2.9, -2.8, -2.7), counts=(2, 2), baseline_entropy=-2.6)


def test_the_area_of_a_histogram_is_one():
    np.testing.assert_allclose(densities(A), [7.5, 2.5])
    assert densities(A._replace(edges=(0.0, 0.5, 2.0))).tolist() == [1.5, 1 / 6]
    assert densities(A._replace(counts=(0, 0))).tolist() == [0, 0]


def test_the_mean_over_seeds_is_zero_beyond_the_bins_of_a_seed():
    edges, mean = mean_density([A, B])
    np.testing.assert_allclose(edges, [-3.0, -2.9, -2.8, -2.7])
    np.testing.assert_allclose(mean, [7.5 / 2, (2.5 + 5) / 2, 5 / 2])
    assert np.sum(mean * np.diff(edges)) == pytest.approx(1)


def test_every_seeds_h_bar_and_the_mean_bound_of_the_concepts_are_drawn(ax):
    assert histogram_panel(ax, [A, B]) is ax
    dashed = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    solid = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "-"]
    assert dashed == [-2.7, -2.6]
    assert solid == [pytest.approx(-2.65 - 0.2)]
    shaded = ax.patches[-1]
    assert (shaded.get_x(), shaded.get_x() + shaded.get_width()) == (-3.0, pytest.approx(-2.85))
    assert ax.get_xlim() == (-3.0, -2.7)


def test_a_thin_step_per_seed_holds_that_seeds_numbers(ax):
    histogram_panel(ax, [A, B])
    steps = [patch.get_data() for patch in ax.patches[2:4]]
    np.testing.assert_allclose([s.values for s in steps], [densities(A), densities(B)])
    np.testing.assert_allclose([s.edges for s in steps], [A.edges, B.edges])


def test_no_bound_is_drawn_where_no_h_bar_holds_for_all_images():
    own = [h._replace(baseline_entropy=float("nan")) for h in (A, A._replace(cells="background"))]
    figure = entropy_histograms_figure(own)
    (ax,) = figure.axes
    assert not ax.lines and ax.get_xlim() == (-3.0, -2.8)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "foreground cells",
        "background cells",
    ]
    said = figure.get_supxlabel().replace("\n", " ")
    assert "No bound is drawn below which a cell is a concept: every image has an H̄ of its own" in said
    assert "of its own" not in entropy_histograms_figure([A]).get_supxlabel()


def test_nothing_to_draw_is_one_clear_sentence():
    with pytest.raises(InputError, match="at least one network"):
        entropy_histograms_figure([])

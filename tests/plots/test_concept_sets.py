"""The discs' areas are the numbers of cells, on one scale."""

from math import pi

import pytest

from kdprobe.errors import InputError
from kdprobe.plots import ConceptSets, concept_sets_figure, sets_panel

A = ConceptSets("s", "student", "0", "foreground", 20.0, 15.0, 5.0, 40, 0.7)
B = A._replace(seed="1", learned=30.0, kept=17.0, discarded=13.0, rho=0.6)


def test_areas_are_proportional_to_the_means_over_the_seeds(ax):
    assert sets_panel(ax, [A, B], largest=50) is ax
    outer, inner = (pi * patch.radius**2 for patch in ax.patches)
    assert outer / pi == pytest.approx(25 / 50) and inner / pi == pytest.approx(16 / 50)
    assert (outer - inner) / outer == pytest.approx(9 / 25)  # the ring: discarded


def test_the_inner_disc_lies_within_the_outer_one(ax):
    sets_panel(ax, [A], largest=20)
    outer, inner = ax.patches
    assert abs(inner.center[1] - outer.center[1]) + inner.radius <= outer.radius + 1e-12


def test_the_numbers_and_the_range_of_rho_stand_below(ax):
    sets_panel(ax, [A, B], largest=25)
    assert ax.texts[0].get_text() == "learned 25.0\nkept 16.0\ndiscarded 9.0\nρ = 0.65 (0.60–0.70)"
    sets_panel(ax, [A._replace(rho=float("nan"))], largest=25)
    assert "ρ" not in ax.texts[1].get_text()


def test_empty_sets_have_no_disc(ax):
    sets_panel(ax, [A._replace(learned=0.0, kept=0.0, discarded=0.0)], largest=0.0)
    assert len(ax.patches) == 0 and ax.texts[0].get_text().startswith("learned 0.0")


def test_all_discs_of_a_figure_share_one_scale():
    figure = concept_sets_figure([A, A._replace(network="baseline", role="baseline", learned=5.0, kept=5.0)])
    radii = [[patch.radius for patch in ax.patches] for ax in figure.axes]
    assert radii[0][0] == pytest.approx(1) and radii[1][0] ** 2 == pytest.approx(5 / 20)


def test_nothing_to_draw_is_one_clear_sentence():
    with pytest.raises(InputError, match="at least one network"):
        concept_sets_figure([])

"""Bars of who was first hold the shares, from left to right, and fill the row where they add up to one."""

import pytest

from kdprobe.errors import InputError
from kdprobe.plots import FIRST, Firsts, SeedLine, detours_figure, firsts_panel, overlap_figure

SHARES = dict(zip(FIRST, (0.4, 0.2, 0.1, 0.2, 0.1), strict=True))
A = Firsts("s", "student", "0", SHARES)
B = A._replace(seed="1", shares={**SHARES, "student_first": 0.2, "together": 0.4})
LINE = SeedLine("s", "student", "0", (0, 1), (0, 1), (0.2, 0.6))


def test_parts_are_the_means_over_the_seeds_and_follow_each_other(ax):
    assert firsts_panel(ax, [A, B]) is ax
    widths = [patch.get_width() for patch in ax.patches]
    assert widths == pytest.approx([0.3, 0.3, 0.1, 0.2, 0.1])
    ends = [patch.get_x() + patch.get_width() for patch in ax.patches]
    assert [patch.get_x() for patch in ax.patches] == pytest.approx([0, *ends[:-1]])
    assert ax.get_xlim() == (0, 1)


def test_parts_differ_in_more_than_colour():
    looks = [(colour, hatch) for _, colour, hatch in FIRST.values()]
    assert len({colour for colour, _ in looks}) == 5
    assert {hatch for _, hatch in looks} == {"", "////"}


def test_a_kind_of_cells_without_firsts_has_an_empty_right_side():
    figure = overlap_figure({"foreground": [LINE], "background": [LINE]}, {"foreground": [A]})
    assert [ax.axison for ax in figure.axes] == [True, True, True, False]
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.2, 0.6]


def test_nothing_to_draw_is_one_clear_sentence():
    with pytest.raises(InputError, match="at least one line"):
        overlap_figure({"foreground": []}, {})
    with pytest.raises(InputError, match="no lines of 'lost'"):
        detours_figure({"gained": [LINE]})


def test_gains_and_losses_share_a_scale_and_so_do_present_and_ever():
    high = LINE._replace(y=(30.0, 31.0))
    figure = detours_figure({"gained": [high], "lost": [LINE], "present": [LINE], "ever": [LINE]})
    gained, lost, present, ever = figure.axes
    assert gained.get_ylim() == lost.get_ylim() != present.get_ylim() == ever.get_ylim()
    assert gained.get_ylim()[0] == 0


def test_what_noise_alone_shows_is_dotted_beside_gains_and_losses_and_a_bar_at_the_overlap():
    floor = LINE._replace(y=(0.1, 0.2))
    lines = {"gained": [LINE], "lost": [LINE], "present": [LINE], "ever": [LINE]}
    seeds = [floor, floor._replace(seed="1", y=(0.3, 0.4))]
    gained, lost, *others = detours_figure(lines, {"gained": seeds, "lost": []}).axes
    assert gained.lines[-1].get_ydata().tolist() == pytest.approx([0.2, 0.3])
    assert len(gained.lines) == 2 and {len(ax.lines) for ax in (lost, *others)} == {1}
    last = LINE._replace(epochs=(1,), x=(1,), y=(0.9,))
    panel = overlap_figure({"foreground": [LINE]}, {}, still={"foreground": [last]}).axes[0]
    assert panel.lines[-1].get_ydata().tolist() == [0.9] and panel.lines[-1].get_marker() == "_"

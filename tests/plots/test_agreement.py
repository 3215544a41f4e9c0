"""The picture of agreement shows the record's numbers, and its texts keep clear of each other."""

import numpy as np
import pytest
from plots.layout import faults, texts

from kdprobe.errors import InputError
from kdprobe.plots import save
from kdprobe.plots.agreement import agreement_figure, interval_rows
from kdprobe.plots.style import Style
from kdprobe.records import Interval

NAN = float("nan")
MAPS = ("PixelEntropy", "IntegratedGradients", "LayerGradCam", "Occlusion")
PAIRS = [f"{a}\n{b}" for k, a in enumerate(MAPS) for b in MAPS[k + 1 :]]
LONG = "student-of-a-very-careful-teacher-with-a-long-name-and-a-$dollar$ & <b>"


def rows(names, seed):
    values = np.random.default_rng(seed).uniform(0.1, 0.8, len(names))
    return {name: Interval(v, v - 0.1, v + 0.15, 16) for name, v in zip(names, values, strict=True)}


def figure(students=1, name="student"):
    names = {"teacher": "teacher", "baseline": "baseline"} | {
        f"{name}-{k}": "student" for k in range(students)
    }
    rank = {network: rows(PAIRS, k) for k, network in enumerate(names)}
    top = {network: rows(MAPS, k + 9) for k, network in enumerate(names)}
    return agreement_figure(rank, top, names, 0.12, 0.66), rank, top


def points(ax):
    return [(line.get_color(), *line.get_xydata()[0]) for line in ax.lines if line.get_marker() != "None"]


def test_points_and_bars_are_the_records_numbers(ax):
    networks = {"a": rows(MAPS, 0), "b": rows(MAPS, 1)}
    styles = {"a": Style("#000000", "s", "-"), "b": Style("#FF0000", "o", "-")}
    assert interval_rows(ax, networks, styles) is ax
    found = points(ax)
    bars = [c.get_segments()[0] for c in ax.collections]
    wanted = [(name, y, i) for name in networks for y, i in enumerate(networks[name].values())]
    assert len(found) == len(bars) == len(wanted) == 8
    for (name, y, interval), (colour, x, place), bar in zip(wanted, found, bars, strict=True):
        assert colour == styles[name].colour and x == interval.value
        assert abs(place - y) < 0.5  # on its line of the panel
        np.testing.assert_allclose(bar, [[interval.low, place], [interval.high, place]])
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.get_yticklabels()] == list(MAPS)
    assert ax.yaxis_inverted()
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())  # a `$` in a name is no formula


def test_no_value_is_left_out_and_no_interval_is_a_bare_point(ax):
    holes = {"x": Interval(NAN, NAN, NAN, 0), "y": Interval(0.4, NAN, NAN, 1)}
    interval_rows(ax, {"a": holes}, {"a": Style("#000000", "s", "-")})
    assert [p[1:] for p in points(ax)] == [(0.4, 1.0)]
    assert len(ax.collections) == 0


def test_rows_that_do_not_fit_are_named(ax):
    style = Style("#000000", "s", "-")
    with pytest.raises(InputError, match="no row"):
        interval_rows(ax, {}, {})
    with pytest.raises(InputError, match="'b' has the rows Occlusion; expected PixelEntropy, Occlusion"):
        networks = {"a": rows(["PixelEntropy", "Occlusion"], 0), "b": rows(["Occlusion"], 0)}
        interval_rows(ax, networks, {"a": style, "b": style})


@pytest.mark.parametrize(
    ("students", "name"), [(0, "s"), (1, "student-kd"), (4, "student"), (2, LONG), (1, 3 * LONG)]
)
def test_no_text_overlaps_or_is_cut(students, name):
    assert faults(figure(students, name)[0]) == []


def test_both_panels_say_what_they_show_and_the_references_stand_where_they_should():
    drawn, rank, top = figure()
    left, right = drawn.axes
    assert {round(p[1], 9) for p in points(left)} == {
        round(i.value, 9) for r in rank.values() for i in r.values()
    }
    assert {round(p[1], 9) for p in points(right)} == {
        round(i.value, 9) for r in top.values() for i in r.values()
    }
    lines = {line.get_linestyle(): line.get_xdata()[0] for line in right.lines if line.get_linewidth() == 1.0}
    assert lines == {"--": 0.12, ":": 0.66}
    written = [text for text, _ in texts(drawn)]
    assert any("correlation" in text for text in written) and any("/ share" in text for text in written)
    assert any("n = 16" in text for text in written)
    assert {"teacher", "baseline", "student-0", "chance"} <= set(written)


def test_the_same_bytes_again(tmp_path):
    first, second = (save(figure()[0], tmp_path / name) for name in ("a", "b"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]

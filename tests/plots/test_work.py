"""The picture of agreement against work shows the table's numbers, and its texts keep clear of each other."""

import pytest
from plots.layout import faults, texts

from kdprobe.errors import InputError
from kdprobe.plots import Point, work_figure, work_panel
from kdprobe.plots.work import FLOOR

POINTS = [
    Point("decomposed", 380, 0.025),
    Point("decomposed", 190, 0.03),
    Point("pathwise", 2149, 0.04),
    Point("jacobian", 32, 0.06),
]
SGD = Point("sgd", 11617, 0.026)


def test_points_are_joined_in_the_order_of_their_work(ax):
    assert work_panel(ax, POINTS, SGD) is ax
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert drawn[0] == [[190, 0.03], [380, 0.025]]
    assert drawn[1] == [[2149, 0.04]] and drawn[2] == [[32, 0.06]]
    assert list(ax.lines[3].get_ydata()) == [0.026, 0.026]  # the floor
    assert drawn[4] == [[11617, 0.026]]
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_nothing_to_draw_is_said(ax):
    with pytest.raises(InputError, match="no point"):
        work_panel(ax, [], SGD)


@pytest.mark.slow  # many figures
@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_texts_keep_clear_of_each_other(count):
    name = "a rather long name of a case with $dollars$ epoch 12 classifier.fc1"
    figure = work_figure({f"{name} {k}": (POINTS, SGD) for k in range(count)}, "4 images each")
    assert faults(figure) == []
    written = " ".join(text for text, _ in texts(figure))
    for word in ("nats", "passes an image", "4 images each", FLOOR, "decomposed", "pathwise", "jacobian"):
        assert word in written
    assert sum("$dollars$" in text for text, _ in texts(figure)) == count

"""The single panels show the record's numbers, and only those."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from report.summaries import NAN, concept_maps, network, summary

from kdprobe.errors import InputError
from kdprobe.plots import concept_map, curves, entropy_map, network_styles, photograph
from kdprobe.records import Interval


@pytest.mark.parametrize("x", ["epoch", "path"])
def test_lines_and_bands_are_the_records_numbers(ax, x):
    networks = [network("baseline", "baseline", "baseline"), network("s", "student", "kd", last=9, lift=1)]
    assert curves(ax, networks, "n_foreground", x) is ax
    assert len(ax.lines) == 2
    for line, band, record in zip(ax.lines, ax.collections, networks, strict=True):
        points = record.curves["n_foreground"]
        np.testing.assert_array_equal(line.get_xdata(), record.epochs if x == "epoch" else record.path)
        np.testing.assert_array_equal(line.get_ydata(), [p.value for p in points])
        corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
        for place, point in zip(line.get_xdata(), points, strict=True):
            assert {(place, point.low), (place, point.high)} <= corners


def test_missing_values_leave_gaps_and_a_lone_point_gets_a_bar(ax):
    record = network("s", "student", "kd", last=2)
    holes = (Interval(NAN, NAN, NAN, 0), Interval(0.4, 0.3, 0.5, 9), Interval(NAN, NAN, NAN, 0))
    curves(ax, [replace(record, curves={"relevance_ratio": holes})], "relevance_ratio")
    assert np.isnan(ax.lines[0].get_ydata()).tolist() == [True, False, True]
    bars = [c for c in ax.collections if hasattr(c, "get_segments")]
    np.testing.assert_array_equal(bars[0].get_segments()[0], [[1, 0.3], [1, 0.5]])


def test_a_panel_without_values_says_so(ax):
    record = network("s", "student", "kd", last=1)
    nothing = (Interval(NAN, NAN, NAN, 0),) * 2
    curves(ax, [replace(record, curves={"relevance_ratio": nothing})], "relevance_ratio")
    assert [t.get_text() for t in ax.texts] == ["no values"]


def test_unknown_metric_and_axis_are_named(ax):
    with pytest.raises(InputError, match="'epoch' or 'path', got 'time'"):
        curves(ax, [], "n_foreground", "time")
    with pytest.raises(InputError, match="'s' has no curve 'stability'"):
        curves(ax, [network("s", "student", "kd")], "stability")


def test_every_network_looks_different():
    styles = list(network_styles(summary(3).networks).values())
    assert len({style.colour for style in styles}) == len({style.marker for style in styles}) == 5


def test_concept_cells_are_blue_on_the_foreground_and_orange_beside_it(ax):
    maps = concept_maps(["a"], (1,))
    concepts, inside = maps.concepts["a"][0], maps.foreground_cells
    concept_map(ax, maps.image, concepts, inside, maps.foreground)
    shown = np.asarray(ax.images[1].get_array())
    for r in range(16):
        for c in range(16):
            colour = ("#0072B2" if inside[r, c] else "#E69F00") if concepts[r, c] else None
            expected = to_rgba(colour, 0.72) if colour else (0, 0, 0, 0)
            np.testing.assert_allclose(shown[r, c], expected)
    assert tuple(ax.images[1].get_extent()) == (-0.5, 63.5, 63.5, -0.5)


def test_entropy_cells_are_shown_as_they_are(ax):
    cells = concept_maps(["a"], (1,)).entropy["a"][0].copy()
    cells[3, 4] = np.nan
    entropy_map(ax, cells, low=-4, high=-2)
    shown = ax.images[0].get_array()
    assert shown.mask.sum() == 1 and shown.mask[3, 4]
    np.testing.assert_array_equal(shown.data[~shown.mask], cells[np.isfinite(cells)])
    assert ax.images[0].get_clim() == (-4, -2)


def test_the_outline_follows_the_mask_and_an_empty_mask_has_none(ax):
    mask = np.zeros((8, 8), dtype=bool)
    photograph(ax, np.zeros((8, 8, 3)), mask)
    assert len(ax.collections) == 0
    mask[2:5, 3:8] = True
    photograph(ax, np.zeros((8, 8, 3)), mask)
    x0, y0, x1, y1 = ax.collections[-1].get_paths()[0].get_extents().extents
    assert (x0, y0, x1, y1) == (2.5, 1.5, 7.5, 4.5)


def test_wrong_shapes_are_named(ax):
    with pytest.raises(InputError, match=r"\(2, 3, 4\)"):
        entropy_map(ax, np.zeros((2, 3, 4)), low=0, high=1)
    with pytest.raises(InputError, match=r"\(4, 4\) and \(8, 8\)"):
        concept_map(ax, np.zeros((8, 8, 3)), np.zeros((4, 4)), np.zeros((8, 8)))

"""Strips show the record's concept cells, epoch by epoch, and few enough epochs to be seen."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from plots.layout import faults, texts
from report.summaries import concept_maps

from kdprobe.errors import InputError
from kdprobe.plots import strips_figure
from kdprobe.plots.strips import shown_epochs
from kdprobe.plots.style import BLUE, ORANGE


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [(3, 6, [0, 1, 2]), (7, 4, [0, 2, 4, 6]), (1, 6, [0]), (11, 6, [0, 2, 4, 6, 8, 10])],
)
def test_shown_epochs_are_spread_from_the_first_to_the_last(count, most, places):
    assert shown_epochs(count, most) == places


def test_every_tile_holds_the_cells_of_its_network_and_epoch():
    maps = concept_maps(["baseline", "student"], range(13))
    figure = strips_figure([maps], column="one")
    tiles = figure.axes[1:]  # the photograph is first
    chosen = shown_epochs(13, 6)
    assert len(tiles) == 2 * len(chosen)
    inside = np.asarray(maps.foreground_cells)
    for tile, (name, k) in zip(tiles, ((n, k) for n in maps.concepts for k in chosen), strict=True):
        colours, cells = tile.images[1].get_array(), maps.concepts[name][k]
        np.testing.assert_array_equal(np.all(colours == to_rgba(BLUE, 0.72), axis=-1), cells & inside)
        np.testing.assert_array_equal(np.all(colours == to_rgba(ORANGE, 0.72), axis=-1), cells & ~inside)
        assert len(tile.collections) == 2  # the outline
    assert ["epoch 0", *(str(maps.epochs[k]) for k in chosen[1:])] == [
        text for text, _ in texts(figure) if text.removeprefix("epoch ").isdigit()
    ]


@pytest.mark.parametrize("shape", [(40, 80), (80, 40), (64, 64)])
@pytest.mark.parametrize("column", ["one", "two"])
def test_no_text_overlaps_or_is_cut_whatever_the_images_shape(shape, column):
    maps = concept_maps(
        ["baseline", "student-of-a-very-careful-$teacher$ & <b>"], (0, 1, 100, 250), shape=shape
    )
    maps = replace(maps, label="hippopotamus, river horse, Hippopotamus amphibius")
    assert faults(strips_figure([maps, maps], column=column, note="two images. " * 12)) == []


def test_nothing_to_draw_is_one_clear_sentence():
    with pytest.raises(InputError, match="at least one image"):
        strips_figure([])
    with pytest.raises(InputError, match="one network"):
        strips_figure([replace(concept_maps(["a"]), entropy={}, concepts={})])
    with pytest.raises(InputError, match="columns wide, got 'half'"):
        strips_figure([concept_maps(["a"])], column="half")

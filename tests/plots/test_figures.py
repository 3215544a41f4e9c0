"""The composed figures: nothing overlaps, nothing is cut, whatever the number of networks and their names."""

import subprocess
import sys
from dataclasses import replace

import pytest
from plots.layout import faults, texts
from report.summaries import concept_maps, summary

from kdprobe.errors import InputError
from kdprobe.plots import curves_figure, maps_figure, table_figure

LONG = "student-of-a-very-careful-teacher-with-a-long-name-and-a-$dollar$ & <b>"


def renamed(record, name=LONG):
    """The same experiment, its first student (or baseline) under another name."""
    old = record.comparisons[0].student if record.comparisons else record.networks[0].name
    return replace(
        record,
        networks=tuple(replace(n, name=name) if n.name == old else n for n in record.networks),
        comparisons=tuple(replace(c, student=name) if c.student == old else c for c in record.comparisons),
    )


CASES = {
    "one": summary(0, teacher=False),
    "two": summary(1, teacher=False),
    "five": summary(3),
    "long": renamed(summary(3)),
    "long alone": renamed(summary(0, teacher=False)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("draw", [curves_figure, lambda s: curves_figure(s, tall=True), table_figure])
def test_no_text_overlaps_or_is_cut(case, draw):
    assert faults(draw(CASES[case])) == []


@pytest.mark.parametrize(
    ("names", "epochs", "shape"),
    [
        (["baseline"], (6,), (64, 64)),
        (["baseline"], (0, 1), (40, 80)),
        (["baseline", LONG], (6,), (80, 40)),
        (["baseline", LONG], (0, 1, 2, 4, 6, 12), (64, 64)),
        (list("abcde"), (6,), (40, 80)),
        (list("abcde"), (0, 1), (64, 64)),
    ],
)
def test_no_text_of_the_maps_overlaps_or_is_cut(names, epochs, shape):
    assert faults(maps_figure(concept_maps(names, epochs, shape=shape))) == []


def test_the_check_sees_overlap_and_cut_texts():
    figure = curves_figure(CASES["two"])
    figure.text(0.5, 0.5, "some words")
    figure.text(0.5, 0.5, "other words")
    figure.text(0.99, 0.2, "cut off at the edge")
    found = faults(figure)
    assert any("overlaps" in fault for fault in found)
    assert any("cut" in fault for fault in found)


def test_all_six_panels_name_symbol_and_unit():
    figure = curves_figure(CASES["five"])
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert len(labels) == 6
    assert [label.split(" / ")[1] for label in labels[:3]] == ["cells", "cells", "share"]
    assert all(r"\|w_0\|" in ax.get_xlabel() for ax in figure.axes[3:])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [n.name for n in CASES["five"].networks]


def test_the_curves_say_their_n():
    assert any("n = 38 to 40" in text for text, _ in texts(curves_figure(CASES["two"])))


def test_the_table_gives_value_interval_n_unit_direction_and_verdict():
    record = CASES["two"]
    written = [text for text, _ in texts(table_figure(record))]
    c = record.comparisons[1]
    assert any(text.endswith(c.verdict) and text.startswith("−1.9") for text in written)
    assert "[−3.0, −0.8]  n = 38" in written
    assert "cells, ↑ higher is better" in written
    assert sum("is better" in text for text in written) == 14


def test_a_metric_that_is_missing_leaves_a_hole_not_a_crash():
    record = CASES["two"]
    poor = replace(record.networks[0], metrics={})
    record = replace(record, networks=(poor, *record.networks[1:]), comparisons=record.comparisons[2:3])
    written = [text for text, _ in texts(table_figure(record))]
    assert written.count("n/a") == 7 + 6


def test_all_maps_share_one_scale_with_its_unit():
    maps = concept_maps(["baseline", "student"], (1, 6))
    figure = maps_figure(maps)
    scaled = [
        i
        for ax in figure.axes
        for i in ax.images
        if i.get_array().ndim == 2 and i.get_cmap().name == "viridis"
    ]
    low = min(cells.min() for cells in maps.entropy.values())
    high = max(cells.max() for cells in maps.entropy.values())
    assert len(scaled) == 4
    assert {image.get_clim() for image in scaled} == {(low, high)}
    assert "entropy $H$ / nats" in [ax.get_ylabel() for ax in figure.axes]


def test_maps_without_any_number_are_drawn_as_missing():
    maps = concept_maps(["baseline"], (1, 2))
    maps = replace(maps, entropy={"baseline": maps.entropy["baseline"] * float("nan")})
    figure = maps_figure(maps)
    assert faults(figure) == []
    assert "no estimate" in [text for text, _ in texts(figure)]


def test_nothing_to_draw_is_one_clear_sentence():
    with pytest.raises(InputError, match="no network"):
        curves_figure(replace(CASES["one"], networks=()))
    with pytest.raises(InputError, match="at least one network"):
        table_figure(replace(CASES["one"], networks=()))
    with pytest.raises(InputError, match="at least one network"):
        maps_figure(replace(concept_maps(["a"]), entropy={}))


def test_pyplot_is_never_imported():
    code = "import sys, kdprobe.plots, kdprobe.report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

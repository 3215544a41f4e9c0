"""Line charts: what is drawn is what was given, and can be read by mouse, keyboard and ear."""

from math import isclose, log10

import numpy as np
import pytest
from browser import Page
from pages.stand_in import chart_page

EVIL = '<img src=x onerror="document.title=1">'
SPEC = {
    "title": "Foreground concepts",
    "xLabel": "epoch",
    "yLabel": "N_fg / cells",
    "series": [
        {
            "name": "student",
            "colour": 0,
            "points": [
                {"x": 0, "y": 1, "low": 0.5, "high": 1.5},
                {"x": 1, "y": 4, "low": 3, "high": 5, "note": "n = 7"},
                {"x": 2, "y": None, "low": None, "high": None},
                {"x": 3, "y": 6.25, "low": 5.5, "high": 7},
            ],
        },
        {"name": EVIL, "colour": 1, "points": [{"x": 0, "y": 2}, {"x": 3, "y": 9}]},
    ],
}
MAKE = "window.chart = kdprobe.chart(document.getElementById('chart'), arguments[0])"


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    return Page(browser, chart_page(tmp_path_factory.mktemp("chart") / "chart.html"), width=600)


@pytest.fixture
def page(opened):
    """A page without a chart."""
    opened.run("document.getElementById('chart').replaceChildren(); delete window.chart")
    yield opened.again(width=600)
    assert opened.silent()


@pytest.fixture
def drawn(page):
    page.run(MAKE, SPEC)
    return page


def tip(page):
    return page.run(
        "const tip = document.querySelector('.chart-tip');"
        "return tip.checkVisibility() ? [...tip.children].map((line) => line.textContent) : null"
    )


def test_a_sign_stands_before_the_title_with_its_index_below_the_line(page):
    page.run(MAKE, SPEC | {"sign": {"letter": "N", "index": "fg"}})
    title = "document.querySelector('.chart-title')"
    assert page.run(f"return {title}.textContent") == "Nfg Foreground concepts"
    assert page.run(f"return {title}.querySelector('sub').textContent") == "fg"


@pytest.mark.parametrize("decimals", [0, 1, 3])
def test_decimals_are_those_that_python_writes_halves_too(page, decimals):
    ties = [0.5, 1.5, 26.25, 26.75, 0.0625, 0.1875, -0.3125, -26.25]  # and numbers that only look like one:
    near = [0.15, 1.0005, 1e-9, 0.0]
    values = [*ties, *near, *np.random.default_rng(0).normal(0, 30, 200), *(k / 32 for k in range(96))]
    shown = page.run(
        "return arguments[0].map((value) => kdprobe.fixed(value, arguments[1]))",
        list(map(float, values)),
        decimals,
    )
    assert shown == [f"{value:.{decimals}f}".replace("-", "−") for value in values]


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (0, 12), (-0.63, 0.61), (1e-6, 5e-6), (0, 256), (-3.1, -2.2), (17, 18), (3, 4000)],
)
def test_ticks_are_round_and_few_and_inside(page, low, high):
    found = page.run("return kdprobe.ticks(arguments[0], arguments[1])", low, high)
    places, texts = [t["at"] for t in found["found"]], [t["text"] for t in found["found"]]
    assert 4 <= len(places) <= 7 and len(set(texts)) == len(texts)
    assert any(
        isclose(found["step"] / digit, 10 ** round(log10(found["step"] / digit))) for digit in (1, 2, 5)
    )
    span = high - low
    assert all(low - 1e-9 * span <= place <= high + 1e-9 * span for place in places)
    for place, text in zip(places, texts, strict=True):
        assert isclose(float(text.replace("−", "-")), place, abs_tol=1e-9 * span)


def test_points_lie_where_the_axes_say(drawn):
    found = drawn.run("""
      const place = (text, name) => [parseFloat(text.textContent.replace("−", "-")), Number(text.getAttribute(name))];
      const ticks = [...document.querySelectorAll(".tick")];
      const at = (group) => group.getAttribute("transform").match(/[-\\d.]+/g).map(Number);
      return {
        y: ticks.filter((t) => t.getAttribute("text-anchor") === "end").map((t) => place(t, "y")),
        x: ticks.filter((t) => t.getAttribute("text-anchor") === "middle").map((t) => place(t, "x")),
        points: [...document.querySelectorAll(".point")].map(at),
      }""")

    def value(ticks, place):
        (one, here), (other, there) = ticks[0], ticks[-1]
        return one + (other - one) * (place - here) / (there - here)

    rise = [(tick, place - 4) for tick, place in found["y"]]  # a text's middle is above its foot
    read = [(value(found["x"], x), value(rise, y)) for x, y in found["points"]]
    given = [(p["x"], p["y"]) for s in SPEC["series"] for p in s["points"] if p["y"] is not None]
    for (x, y), (expected_x, expected_y) in zip(read, given, strict=True):
        assert abs(x - expected_x) < 0.01 and abs(y - expected_y) < 0.05


def test_a_missing_value_is_a_gap_in_line_and_band(drawn):
    count = "return document.querySelectorAll(`.series.c0 ${arguments[0]}`).length"
    assert drawn.run(count, ".point") == 3
    assert drawn.run(count, ".line") == 2, "before the gap and behind it"
    assert (drawn.run(count, ".band"), drawn.run(count, ".bar")) == (1, 1)


def test_values_are_read_with_the_arrow_keys(drawn):
    drawn.run("document.querySelector('.point[tabindex=\"0\"]').focus()")
    drawn.press("Home", code=36)
    drawn.press("ArrowRight", code=39)
    expected = ["student: 4 [3, 5]", "epoch 1 · n = 7"]
    assert tip(drawn) == expected
    named = drawn.run(
        "const e = document.activeElement; return [e.getAttribute('aria-label'), e.querySelector('title').textContent]"
    )
    assert named == [", ".join(expected), "\n".join(expected)]
    drawn.press("ArrowDown", code=40)
    assert tip(drawn)[0] == f"{EVIL}: 2", "the nearest point of the next series"
    drawn.press("Escape", code=27)
    assert tip(drawn) is None


def test_one_point_alone_is_on_the_way_of_the_tab_key(drawn):
    assert drawn.run("return document.querySelectorAll('.point[tabindex=\"0\"]').length") == 1


def test_the_pointer_reads_the_nearest_point_and_none_far_away(drawn):
    x, y = drawn.run(
        "const b = document.querySelectorAll('.point')[2].getBoundingClientRect();"
        "return [b.left + b.width / 2, b.top + b.height / 2]"
    )
    drawn.command("Input.dispatchMouseEvent", type="mouseMoved", x=x + 6, y=y + 5)
    assert tip(drawn) == ["student: 6.25 [5.5, 7]", "epoch 3"]
    drawn.command("Input.dispatchMouseEvent", type="mouseMoved", x=x - 60, y=y + 70)
    assert tip(drawn) is None


def test_a_button_of_the_legend_hides_its_series_also_after_an_update(drawn):
    drawn.run("document.querySelectorAll('.chart-legend button')[0].click()")
    state = "return document.querySelectorAll('.chart-legend button')[0].getAttribute('aria-pressed')"
    assert drawn.run("return document.querySelectorAll('.series.c0').length") == 0
    drawn.run("chart.update({...arguments[0], title: 'again'})", SPEC)
    assert drawn.run("return document.querySelectorAll('.series.c0').length") == 0
    assert drawn.run(state) == "false"
    drawn.run("document.querySelectorAll('.chart-legend button')[0].click()")
    assert (drawn.run("return document.querySelectorAll('.series.c0').length"), drawn.run(state)) == (
        1,
        "true",
    )


def test_names_that_are_html_are_text(drawn):
    assert drawn.run("return document.querySelectorAll('#chart img').length") == 0
    assert EVIL in drawn.run("return document.querySelector('.chart-legend').textContent")


def test_the_cursor_stands_at_its_place_and_only_inside(page):
    page.run(MAKE, SPEC | {"cursor": 1.5})
    place = (
        "const c = document.querySelector('.cursor');"
        "return c.checkVisibility() ? Number(c.getAttribute('x1')) : null"
    )
    left, *_, right = page.run(
        "return [...document.querySelectorAll('.tick[text-anchor=middle]')].map((t) => Number(t.getAttribute('x')))"
    )
    assert abs(page.run(place) - (left + right) / 2) < 0.01
    page.run("chart.cursor(7)")
    assert page.run(place) is None


def test_a_chart_without_a_value_is_an_empty_one(page):
    page.run(MAKE, SPEC | {"series": [{"name": "none", "colour": 0, "points": [{"x": 0, "y": None}]}]})
    assert page.run("return document.querySelectorAll('.point').length") == 0
    assert page.run("return document.querySelector('#chart svg').textContent.includes('NaN')") is False


def test_it_is_drawn_anew_when_the_width_changes(drawn):
    drawn.width(360)
    drawn.wait("return document.querySelector('.chart-plot svg').viewBox.baseVal.width < 345")
    assert drawn.run("return document.documentElement.scrollWidth") <= 360

"""The overview in a real browser: sorting, filters, scatter and curves against Python, and no harm by names."""

import csv
from dataclasses import replace
from io import StringIO
from math import isnan
from urllib.parse import unquote

import pytest
from browser import WIDTHS, Page, started
from browser_checks import faint, nameless, pdf_glyphs, too_wide, unreached
from report.overviews import CURVES, curves, networks, page
from report.summaries import summary
from report.sweeps import comparisons

from kdprobe.metrics import CLAIMS
from kdprobe.report import write_overview, write_report
from kdprobe.report.overview_rows import rows_of_sweep

TEXTS = ("network", "data", "model", "layer", "method")
EVIL = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return page(tmp_path_factory.mktemp("overview"))


@pytest.fixture(scope="module")
def rows():
    values = networks()
    return rows_of_sweep(values, comparisons(), curves(values))


@pytest.fixture
def opened(browser, path):
    found = Page(browser, path)
    yield found
    assert found.silent()


def value(row, key):
    """What a column holds; None if nothing."""
    found = row.metrics[key].value if key in CLAIMS else getattr(row, key)
    return None if isinstance(found, float) and isnan(found) else found


def order(opened):
    shown = "[...document.querySelectorAll('#overview-table tbody tr')].filter((row) => !row.hidden)"
    return opened.run(f"return {shown}.map((row) => Number(row.dataset.row))")


def choose(opened, field, text):
    """Chooses from a list, by the text shown."""
    opened.run(
        "const e = document.getElementById(`overview-${arguments[0]}`);"
        "e.value = [...e.options].find((o) => o.textContent === arguments[1]).value;"
        "e.dispatchEvent(new Event('change', {bubbles: true}))",
        field,
        text,
    )


def test_every_column_sorts_both_ways_as_python_does_and_what_is_missing_comes_last(opened, rows):
    for key in (*TEXTS, "seed", "accuracy", *CLAIMS):
        known = [k for k, row in enumerate(rows) if value(row, key) is not None]
        none = [k for k, row in enumerate(rows) if value(row, key) is None]
        up = sorted(known, key=lambda k: value(rows[k], key)) + none
        down = sorted(known, key=lambda k: value(rows[k], key), reverse=True) + none
        press = f"document.querySelector('[data-key={key}] button').click()"
        sorting = f"return document.querySelector('[data-key={key}]').getAttribute('aria-sort')"
        opened.run(press)
        assert (order(opened), opened.run(sorting)) == (up, "ascending"), key
        opened.run(press)
        assert (order(opened), opened.run(sorting)) == (down, "descending"), key
        assert opened.run("return document.querySelectorAll('[aria-sort]').length") == 1


def test_a_column_is_sorted_with_the_keyboard(opened, rows):
    opened.run("document.querySelector('[data-key=n_foreground] button').focus()")
    opened.press(" ", code=32)
    assert order(opened) == sorted(range(len(rows)), key=lambda k: rows[k].metrics["n_foreground"].value)


def test_filters_leave_what_they_say_in_table_scatter_and_curves(opened, rows):
    choose(opened, "model", "vgg_small")
    choose(opened, "method", "kd")
    kept = [k for k, row in enumerate(rows) if (row.model, row.method) == ("vgg_small", "kd")]
    assert order(opened) == kept
    dots = "return [...document.querySelectorAll('.scatter .point')].map((d) => Number(d.dataset.row))"
    assert sorted(opened.run(dots)) == kept
    titles = "[...document.querySelectorAll('[data-metric=n_foreground] .chart-title')]"
    assert opened.run(f"return {titles}.map((title) => title.textContent)") == list(
        dict.fromkeys(" · ".join(rows[k].place) for k in kept)
    )
    said = "return document.getElementById('overview-count').textContent"
    assert opened.run(said) == f"{len(kept)} of {len(rows)} networks."
    opened.run("document.getElementById('overview-reset').click()")
    assert len(order(opened)) == len(rows) and opened.run(said) == f"All {len(rows)} networks."


HEADS = "return [...document.querySelector('#overview-table thead tr').cells].map((head) => head.dataset.key)"
NAMES = ("data", "model", "layer", "method", "seed")


def test_a_column_that_says_the_same_in_all_rows_shown_is_hidden_and_said_once(opened, rows):
    seen = (
        "const lines = [...document.querySelectorAll('#overview-table tr')].filter((line) => !line.hidden);"
        "const at = lines[0].querySelector(`[data-key=${arguments[0]}]`).cellIndex;"
        "return [...new Set(lines.map((line) => line.cells[at].checkVisibility()))]"
    )
    told = "return document.getElementById('overview-same').textContent"
    for chosen in ({}, {"seed": "2"}, {"data": "leeds_butterfly", "method": "kd"}):
        for field, text in chosen.items():
            choose(opened, field, text)
        kept = [r for r in rows if all(str(getattr(r, field)) == text for field, text in chosen.items())]
        same = [name for name in NAMES if len({getattr(row, name) for row in kept}) == 1]
        assert set(chosen) <= set(same) < set(NAMES) and len(kept) > 1
        for name in ("network", *NAMES, "accuracy"):
            assert opened.run(seen, name) == [name not in same], name
        words = {"data": "data set", "model": "architecture"}
        said = ", ".join(f"{words.get(name, name)} {getattr(kept[0], name)}" for name in same)
        assert opened.run(told) == (f"The same in all rows shown: {said}." if same else "")
        opened.run("document.getElementById('overview-reset').click()")
        assert [opened.run(seen, name) for name in NAMES] == [[True]] * len(NAMES) and opened.run(told) == ""


def test_on_a_phone_the_numbers_stand_beside_the_name_which_says_where_the_row_belongs(browser, path, rows):
    opened = Page(browser, path, width=360)
    names, numbers = list(NAMES), ["accuracy", *CLAIMS]
    second = "return document.querySelector('#overview-table thead tr').cells[1].dataset.key === arguments[0]"
    lines = "const lines = [...document.querySelectorAll('#overview-table tbody tr')];"
    texts = (
        "return lines.map((line) => [line.cells[0], ...[...line.cells].slice(-5)].map((c) => c.innerText))"
    )
    right = "return lines.map((line) => line.cells[2].querySelector('b').getBoundingClientRect().right)"
    assert opened.run(HEADS) == ["network", *numbers, *names]
    for row, (head, *cells) in zip(rows, opened.run(lines + texts), strict=True):
        where = " · ".join([*row.place, f"seed\N{NO-BREAK SPACE}{row.seed}"])
        assert head.split("\n") == [row.network, where]
        assert cells == [str(getattr(row, name)) for name in names]
    assert max(opened.run(lines + right)) < 360 and too_wide(opened) == []
    opened.run("document.querySelector('[data-key=seed] button').click()")
    assert order(opened) == sorted(range(len(rows)), key=lambda k: rows[k].seed)
    opened.width(1280)
    opened.wait(second, "data")
    assert opened.run(HEADS) == ["network", *names, *numbers]
    assert {head for head, *_ in opened.run(lines + texts)} == {row.network for row in rows}
    assert opened.silent()


def test_the_file_holds_the_rows_that_are_shown_in_their_order_and_in_full_precision(opened, rows):
    choose(opened, "seed", "2")
    opened.run("document.querySelector('[data-key=accuracy] button').click()")
    link = (
        "const a = document.getElementById('overview-file');"
        "a.addEventListener('click', (event) => event.preventDefault()); a.click(); return a.href"
    )
    start, _, text = opened.run(link).partition(",")
    found = list(csv.DictReader(StringIO(unquote(text))))
    assert start == "data:text/csv;charset=utf-8"
    ends = (
        "",
        "_low",
        "_high",
        "_n",
        "_difference",
        "_difference_low",
        "_difference_high",
        "_difference_n",
        "_verdict",
    )
    names = ("data", "model", "layer", "network", "role", "method", "seed", "accuracy")
    assert list(found[0]) == [*names, *(metric + end for metric in CLAIMS for end in ends)]
    shares = [float(line["accuracy"]) for line in found]
    assert shares == sorted(shares) and len(set(shares)) > 1
    for line, k in zip(found, order(opened), strict=True):
        row = rows[k]
        assert (line["data"], line["model"], line["layer"], line["network"], line["seed"]) == (
            *row.place,
            row.network,
            "2",
        )
        for name in CLAIMS:
            told = row.metrics[name]
            ends = [line[name + end] for end in ("", "_low", "_high")]
            assert [float(each or "nan") for each in ends] == pytest.approx(
                [told.value, told.low, told.high], rel=0, abs=0, nan_ok=True
            )
            assert int(line[f"{name}_n"]) == told.n
            if name in row.gaps:
                assert float(line[f"{name}_difference"]) == row.gaps[name].difference.value


PLACED = """
const ticks = (axis, at) => [...document.querySelectorAll(`.scatter .tick[data-axis=${axis}]`)]
  .map((t) => [parseFloat(t.textContent.replace("−", "-")), Number(t.getAttribute(at))]);
const ends = (line, axis) => line ? [1, 2].map((k) => Number(line.getAttribute(axis + k))) : null;
const dots = [...document.querySelectorAll(".scatter .point")];
return {x: ticks("x", "x"), y: ticks("y", "y"), points: dots.map((dot) => ({
  row: Number(dot.dataset.row),
  at: dot.querySelector(".mark").getAttribute("transform").match(/-?[\\d.]+/g).map(Number),
  x: ends(dot.querySelector("[data-axis=x]"), "x"), y: ends(dot.querySelector("[data-axis=y]"), "y"),
}))};
"""


@pytest.mark.parametrize(
    ("across", "up"),
    [
        ("accuracy", "stability"),
        ("n_background", "n_foreground"),
        ("relevance_ratio", "learning_distance_std"),
    ],
)
def test_points_and_error_bars_of_the_scatter_lie_where_the_axes_say(opened, rows, across, up):
    for axis, key in (("x", across), ("y", up)):
        opened.run(
            "const e = document.getElementById(`overview-${arguments[0]}`); e.value = arguments[1];"
            "e.dispatchEvent(new Event('change'))",
            axis,
            key,
        )
    found = opened.run(PLACED)

    def read(ticks, place, shift=0.0):
        (one, here), (other, there) = ticks[0], ticks[-1]
        return one + (other - one) * (place - here + shift) / (there - here)

    expected = {
        k for k, row in enumerate(rows) if value(row, across) is not None and value(row, up) is not None
    }
    assert {dot["row"] for dot in found["points"]} == expected and len(found["points"]) == len(expected)
    for dot in found["points"]:
        row = rows[dot["row"]]
        for axis, key, place, shift in (("x", across, dot["at"][0], 0), ("y", up, dot["at"][1], 4)):
            ticks = found[axis]
            close = 1e-6 * abs(ticks[-1][0] - ticks[0][0]) + 1e-9
            assert abs(read(ticks, place, shift) - value(row, key)) < close
            if key == "accuracy":
                assert dot[axis] is None
            else:
                ends = [read(ticks, end, shift) for end in dot[axis]]
                told = row.metrics[key]
                assert abs(ends[0] - told.low) < close and abs(ends[1] - told.high) < close


def test_a_click_on_a_point_shows_its_row_and_enter_goes_there(opened, rows):
    place = opened.run(
        "document.getElementById('overview-scatter').scrollIntoView();"
        "const dot = document.querySelectorAll('.scatter .point')[5];"
        "const box = dot.querySelector('.mark').getBoundingClientRect();"
        "return [Number(dot.dataset.row), box.left + box.width / 2, box.top + box.height / 2]"
    )
    row, x, y = place
    for kind in ("mousePressed", "mouseReleased"):
        opened.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    current = "return [...document.querySelectorAll('tr.picked[aria-current=true]')].map((r) => Number(r.dataset.row))"
    assert opened.run(current) == [row]
    assert opened.run("return document.querySelector('.scatter .picked').dataset.row") == str(row)
    opened.run("document.querySelector('.scatter .point[tabindex=\"0\"]').focus()")
    opened.press("End", code=35)
    last = opened.run("return Number(document.activeElement.dataset.row)")
    tip = opened.run("return document.querySelector('.scatter .chart-tip').innerText")
    assert last == max(range(len(rows)), key=lambda k: rows[k].metrics["n_background"].value)
    assert rows[last].network in tip and f"seed {rows[last].seed}" in tip and "N_fg: " in tip
    opened.press("Enter", code=13)
    assert opened.run(current) == [last]
    assert opened.run("return Number(document.activeElement.closest('tr').dataset.row)") == last


def test_colours_go_by_method_or_role_and_shapes_by_data_set(opened, rows):
    script = (
        "return [...document.querySelectorAll('.scatter .point')].map((d) => [Number(d.dataset.row),"
        "d.getAttribute('class').match(/c\\d/)[0], d.querySelector('.mark').getAttribute('d')])"
    )
    for by, field in (("by method", "method"), ("by role", "role")):
        choose(opened, "by", by)
        colours, shapes = {}, {}
        for k, colour, shape in opened.run(script):
            colours.setdefault(getattr(rows[k], field), set()).add(colour)
            shapes.setdefault(rows[k].data, set()).add(shape)
        for found in (colours, shapes):
            assert all(len(each) == 1 for each in found.values())
            assert len(set.union(*found.values())) == len(found)


def test_the_charts_of_a_row_share_one_scale_and_draw_means_over_seeds(opened, rows):
    ticks = (
        "return [...document.querySelectorAll(`[data-metric=${arguments[0]}] svg`)].map((s) =>"
        "[...s.querySelectorAll('.tick[text-anchor=end]')].map((t) => t.textContent).join())"
    )
    for metric in CURVES:
        found = opened.run(ticks, metric)
        assert len(found) > 4 and len({each for each in found if each}) == 1
    note = opened.run("return document.getElementById('overview-multiples-note').textContent")
    assert "Thick: mean over the seeds" in note
    spec = (
        "const store = kdprobe.overviewStore(JSON.parse(document.getElementById('kdprobe-overview').textContent));"
        "const own = store.rows.filter((r) => kdprobe.overviewPlace(r) === arguments[0]);"
        "return kdprobe.overviewSeries(store, own, arguments[1])"
    )
    for place in dict.fromkeys(row.place for row in rows):
        for metric in CURVES:
            found = opened.run(spec, " · ".join(place), metric)
            own = [row for row in rows if row.place == place]
            lines = [row.curves[metric][0][1].value for row in own if row.network == "teacher"]
            assert found["lines"][0]["y"] == pytest.approx(sum(lines) / 3, rel=1e-12)
            means = {s["name"]: s["points"] for s in found["series"] if s["name"].endswith(", mean")}
            assert set(means) == {"baseline, mean", "student-feature, mean", "student-kd, mean"}
            for name, points in means.items():
                seeds = [dict(row.curves[metric]) for row in own if f"{row.network}, mean" == name]
                for point in points:
                    known = [s[point["x"]].value for s in seeds if not isnan(s[point["x"]].value)]
                    assert point["y"] == pytest.approx(sum(known) / len(known), rel=1e-12)
                    assert point["note"] == f"{len(known)} of 3 seeds"


def test_the_heads_of_the_curves_name_the_metric_with_its_index_below_the_line(browser, tmp_path):
    opened = Page(browser, page(tmp_path, (0,)))
    opened.wait("return document.querySelector('.multiples .chart') !== null")
    heads = opened.run(
        "return [...document.querySelectorAll('h4:has(+ .multiples)')].map((e) =>"
        " [e.textContent, e.querySelector('sub')?.textContent ?? ''])"
    )
    assert heads == [
        ["Nfg foreground concepts", "fg"],
        ["Nbg background concepts", "bg"],
        ["λ relevance ratio", ""],
    ]
    units = opened.run(
        "return [...document.querySelectorAll('.multiples > :first-child .label')].map((e) => e.textContent)"
    )
    assert units == ["cells", "epoch", "cells", "epoch", "share", "epoch"]


def test_one_seed_is_drawn_with_its_interval(browser, tmp_path):
    opened = Page(browser, page(tmp_path, (0,)))
    assert opened.run("return document.querySelectorAll('.multiples .band').length") > 0
    assert "one seed" in opened.run("return document.getElementById('overview-multiples-note').textContent")
    assert opened.run("return document.querySelector('[data-key=seed]')") is None
    assert opened.silent()


def test_names_that_are_script_do_nothing(browser, tmp_path):
    named = {"data": EVIL, "model": f"m{EVIL}", "layer": f"l{EVIL}", "network": f"student-{EVIL}"}
    values = [replace(v, **named) for v in networks((0,)) if v.network == "student-kd" and v.layer == "conv"]
    drawn = curves(values)
    tested = [
        replace(
            c, data=EVIL, model=named["model"], layer=named["layer"], student=named["network"], baseline=EVIL
        )
        for c in comparisons(1)
        if c.student == "student-kd" and c.layer == "conv"
    ]
    opened = Page(browser, write_overview(values, tested, drawn, tmp_path, EVIL))
    opened.run("document.querySelector('[data-key=network] button').click()")
    opened.run("document.querySelector('.scatter .point').focus()")
    assert EVIL in opened.run("return document.querySelector('.scatter .chart-tip').textContent")
    assert EVIL in opened.run("return document.querySelector('#overview-table tbody').textContent")
    assert opened.run("return [window.hacked ?? null, document.images.length]") == [None, 0]
    assert too_wide(opened) == [] and opened.silent()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_narrow_and_legible(browser, path, width, scheme):
    opened = Page(browser, path, width=width, scheme=scheme)
    assert too_wide(opened) == [] and faint(opened) == [] and opened.silent()


def test_everything_has_a_name_and_is_reached_by_tab(opened):
    assert nameless(opened) == [] and unreached(opened) == []


def test_it_prints_all_rows(opened, rows):
    pdf = opened.printed()
    opened.scheme("light", media="print")
    letters = opened.run(
        r"return document.getElementById('overview-table').innerText.replace(/\s/g, '').length"
    )
    assert letters > 100 * len(rows) and pdf_glyphs(pdf) >= letters
    assert opened.run("return document.getElementById('overview-filters').checkVisibility()") is False


def test_without_scripts_the_whole_table_is_there(path, rows, browser):
    with started(script=False) as bare:
        opened = Page(bare, path)
        text = bare.find_element("css selector", "#overview-table").text
        assert all(f"{row.metrics['n_foreground'].value:.1f}" in text for row in rows)
        assert "need a script" in bare.find_element("css selector", "#networks").text
        assert opened.silent()


def test_a_report_of_several_students_holds_the_section_and_one_of_a_student_does_not(
    browser, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "kdprobe.report.page.curves_picture", lambda _: None
    )  # it takes longest, and is not looked at
    several = Page(browser, write_report(summary(students=2, maps=0), tmp_path / "several"))
    assert several.run("return document.querySelectorAll('.scatter .point').length") == 4
    assert several.run("return document.querySelectorAll('#overview-table tbody tr').length") == 4
    assert several.silent()
    one = Page(browser, write_report(summary(students=1, maps=0), tmp_path / "one"))
    assert one.run("return document.getElementById('networks')") is None and one.silent()

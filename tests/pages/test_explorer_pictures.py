"""What the explorer draws, the way of a cell, the curves at another margin, and the files that it hands over."""

import csv
import io
from base64 import b64decode
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from browser import Page
from pages.stand_in import begun, counted, explorer_page, put, shown_number
from PIL import Image
from report.tied_maps import GRID, SHOWN, TIE, entropy, foreground, tied

EXPLORER = tied().explorer
FORMULA = '=HYPERLINK("x"), "quoted"'


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    return Page(browser, explorer_page(tmp_path_factory.mktemp("explorer") / "explorer.html", EXPLORER))


@pytest.fixture
def page(opened, tmp_path):
    begun(opened)
    opened.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    opened.wait("return kdprobe.explorer.state.picture(0).pale !== null")
    opened.rest()
    yield opened
    assert opened.silent()


def contrast(network, layer="fc1"):
    """(E, SHOWN, g, g): H - H-bar in nats."""
    maps, inside = entropy(network.name, layer, len(network.epochs)), foreground()
    bar = [np.mean([m[~cells].mean() for m, cells in zip(each, inside, strict=True)]) for each in maps]
    return (maps - np.array(bar)[:, None, None, None])[:, :SHOWN]


def colours(page, card, canvas):
    """(g, g, 3): what the screen shows at the middle of each cell, a little beside the line of background concepts."""
    found = page.run(
        """
        kdprobe.explorer.change({outline: false});
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
          const canvas = document.querySelectorAll(".network")[arguments[0]].querySelectorAll("canvas")[arguments[1]];
          const [g, {width, height}] = [arguments[2], canvas];
          const context = kdprobe.make("canvas", {width, height}).getContext("2d", {willReadFrequently: true});
          context.drawImage(canvas, 0, 0);
          const {data} = context.getImageData(0, 0, width, height);
          const at = (k, size) => Math.floor(((k + 0.3) * size) / g);
          done([...Array(g * g).keys()].map((i) => {
            const place = 4 * (at(Math.floor(i / g), height) * width + at(i % g, width));
            return [...data.slice(place, place + 3)];
          }));
        })));
        """,
        card,
        canvas,
        GRID,
    )
    return np.array(found).reshape(GRID, GRID, 3)


def shown(page):
    """Networks in the order of the cards."""
    names = page.run("return [...document.querySelectorAll('.network')].map((card) => card.ariaLabel)")
    return [next(n for n in EXPLORER.layers[0].networks if n.name == name) for name in names]


def file(path, page):
    """What the page handed over, as soon as it is there."""
    for _ in range(500):
        if path.exists() and path.stat().st_size:
            return path.read_bytes()
        page.run("return new Promise((done) => setTimeout(done, 10))")
    raise AssertionError(f"{path.name} never came")


def test_students_come_first_then_baseline_and_teacher(page):
    assert [network.role for network in shown(page)] == ["student", "baseline", "teacher"]


def test_concepts_are_blue_on_the_foreground_orange_beside_it_and_grey_where_none_is(page):
    for card, network in enumerate(shown(page)):
        seen = colours(page, card, 0).astype(int)
        concept, inside = contrast(network)[-1, 0] < -0.2, foreground()[0]
        assert concept[inside].any() and concept[~inside].any() and not concept.all()
        red, green, blue = np.moveaxis(seen, -1, 0)
        assert (blue - red > 60)[concept & inside].all()
        assert (red - blue > 60)[concept & ~inside].all()
        assert (abs(red - blue) + abs(red - green) <= 2)[~concept].all()


def test_charts_beside_each_other_have_their_plots_at_one_height(page):
    tops = page.run(
        "return [...document.querySelectorAll('#live-curves .chart-plot')].map((e) => e.getBoundingClientRect().top)"
    )
    assert len(tops) == 3 and max(tops) - min(tops) < 1


def test_a_cell_exactly_on_the_margin_is_drawn_and_called_no_concept(page):
    put(page, "explorer-margin-number", TIE)
    for card, network in enumerate(shown(page)):
        on_it = contrast(network)[-1, 0] == -TIE
        if not on_it.any():
            continue
        red, green, blue = np.moveaxis(colours(page, card, 0).astype(int), -1, 0)
        assert (abs(red - blue) + abs(red - green) <= 2)[on_it].all()
        page.run("kdprobe.explorer.change({cell: arguments[0]})", int(np.flatnonzero(on_it)[0]))
        said = page.run(
            "return document.querySelectorAll('.network .picked')[arguments[0]].textContent", card
        )
        assert said.endswith("H − H̄ = −0.25 nats, no concept")
        page.wait("return document.querySelector('.cell-path .point') !== null")
        last = f"{network.name}: −0.25, epoch {network.epochs[-1]} · no concept"
        labels = "return [...document.querySelectorAll('.cell-path .point')].map((dot) => dot.ariaLabel)"
        page.wait(labels + ".includes(arguments[0])", last)
        return
    raise AssertionError("no cell lies on the margin")


def test_the_outline_of_the_foreground_is_shown_and_hidden_on_every_picture(page):
    drawn = "return [...document.querySelectorAll('#explorer canvas.cells')].map((c) => c.toDataURL())"
    press = "document.getElementById('explorer-outline').click()"
    with_it = page.run(drawn)
    page.run(press)
    page.rest()
    without = page.run(drawn)
    assert len(with_it) == 7 and all(one != other for one, other in zip(with_it, without, strict=True))
    page.run(press)
    page.rest()
    assert page.run(drawn) == with_it


def test_curves_run_over_epochs_or_weight_distance_and_networks_are_taken_out(page):
    labels = (
        "return [...document.querySelectorAll('#live-curves .chart')[0].querySelectorAll('.point')]"
        ".map((dot) => dot.ariaLabel)"
    )
    place = {"epochs": lambda n: n.epochs, "path": lambda n: n.path}
    words = {"epochs": "epoch", "path": "weight distance / initial norms"}
    for axis in ("path", "epochs"):
        page.run("document.querySelector(`[data-choice='${arguments[0]}']`).click()", axis)
        expected = [
            f"{words[axis]} {shown_number(x)} · n = {point.n}"
            for network in shown(page)
            for x, point in zip(place[axis](network), network.curves["n_foreground"], strict=True)
        ]
        found = page.run(labels)
        assert [label.split("], ")[-1].replace("−", "-") for label in found] == expected
        needles = (
            "return [...document.querySelectorAll('#live-curves .cursor')].map((e) => e.checkVisibility())"
        )
        assert page.run(needles) == [axis == "epochs"] * 3
    first = shown(page)[0].name
    assert any(label.startswith(f"{first}: ") for label in page.run(labels))
    press = (
        "[...document.querySelectorAll('#live-curves .switch button')]"
        ".find((e) => e.textContent === arguments[0]).click()"
    )
    page.run(press, first)
    rest = page.run(labels)
    assert rest and not any(label.startswith(f"{first}: ") for label in rest)
    page.run(press, first)
    assert any(label.startswith(f"{first}: ") for label in page.run(labels))


def test_entropies_have_the_colours_of_viridis_on_one_scale_for_all(page):
    low, high = page.run("const {low, high} = kdprobe.explorer.state.range; return [low, high]")
    every = np.concatenate([entropy(n.name, "fc1", len(n.epochs))[:, :SHOWN].ravel() for n in shown(page)])
    assert every.min() <= low < high <= every.max() and np.mean((every < low) | (every > high)) < 0.02
    for card, network in enumerate(shown(page)):
        share = (entropy(network.name, "fc1", len(network.epochs))[-1, 0] - low) / (high - low)
        expected = 255 * matplotlib.colormaps["viridis"](share.clip(0, 1))[..., :3]
        assert np.abs(colours(page, card, 1) - expected).max() < 12, "nine colours, joined by lines"


def test_a_click_shows_the_way_of_the_cell(page):
    row, column = 5, 2
    x, y = page.run(
        "const c = document.querySelector('.network canvas'); c.scrollIntoView({block: 'center'});"
        "const b = c.getBoundingClientRect(), at = (k) => (k + 0.5) / arguments[2];"
        "return [b.left + b.width * at(arguments[1]), b.top + b.height * at(arguments[0])]",
        row,
        column,
        GRID,
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert page.run("return kdprobe.explorer.state.cell") == row * GRID + column
    page.wait("return document.querySelector('.cell-path .point') !== null")
    labels = page.run(
        "return [...document.querySelectorAll('.cell-path .point')].map((dot) => dot.getAttribute('aria-label'))"
    )
    expected = [
        f"{network.name}: {shown_number(value)}, epoch {epoch} · {'a concept' if value < -0.2 else 'no concept'}"
        for network in shown(page)
        for epoch, value in enumerate(contrast(network)[:, 0, row, column])
    ]
    assert [label.replace("−", "-") for label in labels] == expected
    assert "−b = −0.2" in page.run("return document.querySelector('.cell-path .chart-plot svg').textContent")


def test_arrow_keys_walk_over_the_cells_and_the_canvas_says_where(page):
    page.run("document.querySelectorAll('.network canvas')[1].focus(); kdprobe.explorer.change({cell: 0})")
    page.press("ArrowLeft", code=37)
    page.press("ArrowDown", code=40)
    page.press("ArrowRight", code=39)
    assert page.run("return kdprobe.explorer.state.cell") == GRID + 1
    said = page.run("return document.activeElement.ariaLabel")
    value = contrast(shown(page)[0])[-1, 0, 1, 1]
    assert "row 2, column 2" in said and f"{shown_number(value)}" in said.replace("−", "-")
    page.press("Escape", code=27)
    assert page.run("return kdprobe.explorer.state.cell") is None


def test_curves_are_recounted_dashed_at_another_margin(page):
    dashed = "return document.querySelectorAll('#live-curves .series.dash').length"
    assert page.run(dashed) == 0
    put(page, "explorer-class", 1)  # the curves are of all images
    put(page, "explorer-margin", 0.5)
    page.wait("return document.querySelectorAll('#live-curves .series.dash').length === 9")
    first = "#live-curves .charts > :first-child .series.dash"
    labels = page.run(
        f"return [...document.querySelectorAll('{first} .point')].map((dot) => dot.getAttribute('aria-label'))"
    )
    expected = [
        f"{network.name}, b = 0.5: {shown_number(counted(network, 'fc1', epoch, 0.5)[0].mean())}, "
        f"epoch {epoch} · n = {SHOWN}, no interval"
        for network in shown(page)
        for epoch in range(len(network.epochs))
    ]
    assert [label.replace("−", "-") for label in labels] == expected
    assert "over the 6 images of this page" in page.run(
        "return document.getElementById('live-curves-note').textContent"
    )
    page.run("document.querySelector('#live-curves [data-choice=path]').click()")
    assert (
        page.run(f"return document.querySelector('{first} .point').getAttribute('aria-label')").count(
            "weight distance"
        )
        == 1
    )
    for button in page.browser.find_elements("css selector", "#live-curves .switches > :last-child button")[
        :2
    ]:
        page.run("arguments[0].click()", button)
    assert page.run(dashed) == 3
    page.run("document.getElementById('explorer-reset').click()")
    page.wait("return document.querySelectorAll('#live-curves .series.dash').length === 0")


def test_fields_of_csv_are_quoted_and_never_formulas(page):
    text = page.run(
        "return kdprobe.csv([[arguments[0], -0.1, null, 'a\\nb'], [1e-17, '-x', 'é', undefined]])", FORMULA
    )
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["'" + FORMULA, "-0.1", "", "a\nb"], ["1e-17", "'-x", "é", ""]]


def test_the_numbers_of_all_images_come_as_csv(page, tmp_path):
    put(page, "explorer-epoch", 4)
    put(page, "explorer-margin", 0.3)
    page.run("document.querySelectorAll('#explorer > .files button')[0].click()")
    rows = list(csv.DictReader(io.StringIO(file(tmp_path / "explorer.csv", page).decode())))
    assert len(rows) == 3 * SHOWN
    for k, row in enumerate(rows):
        network = shown(page)[k // SHOWN]
        inside, beside = counted(network, "fc1", 4, 0.3)
        assert (row["network"], row["image"], row["margin_nats"]) == (
            network.name,
            EXPLORER.ids[k % SHOWN],
            "0.3",
        )
        assert (int(row["n_foreground"]), int(row["n_background"])) == (inside[k % SHOWN], beside[k % SHOWN])


def test_maps_come_as_a_picture(page, tmp_path):
    page.run("document.querySelectorAll('#explorer > .files button')[1].click()")
    made = Image.open(io.BytesIO(file(tmp_path / "maps.png", page))).convert("RGB")
    colours = {colour for _, colour in made.getcolors(1 << 24)}
    drawn = page.run(
        "return [...document.querySelectorAll('.network canvas')].map((c) => c.toDataURL().split(',')[1])"
    )
    assert len(drawn) == 6
    for canvas in drawn:
        shown = Image.open(io.BytesIO(b64decode(canvas))).convert("RGB")
        assert made.width > 2 * shown.width and made.height > 3 * shown.height
        assert {colour for _, colour in shown.getcolors(1 << 24)} <= colours


def test_a_chart_comes_as_svg_with_its_style_and_as_csv(page, tmp_path):
    page.run("for (const button of document.querySelector('#live-curves .files').children) button.click()")
    root = ElementTree.fromstring(file(tmp_path / "n_foreground.svg", page))
    lines = [e for e in root.iter() if e.get("fill") == "none" and e.get("stroke-width") == "2px"]
    assert {e.get("stroke") for e in lines} >= {"rgb(0, 114, 178)", "rgb(194, 78, 0)"}
    assert not [e for e in root.iter() if e.get("class") or e.get("style")]
    texts = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {network.name for network in shown(page)} < texts
    rows = list(csv.DictReader(io.StringIO(file(tmp_path / "n_foreground.csv", page).decode())))
    expected = [point for network in shown(page) for point in network.curves["n_foreground"]]
    assert [float(row["n_foreground"]) for row in rows] == [point.value for point in expected]
    assert [float(row["low"]) for row in rows] == [point.low for point in expected]

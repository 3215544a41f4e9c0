"""The explorer in a real browser: what it counts is what kdprobe.metrics counts, whatever is moved, by hand or key."""

from math import nextafter

import pytest
from browser import Page
from pages.stand_in import begun
from report.tied_maps import COUNTS, GRID, METRICS, PIXEL, RULES, SHOWN, TIE, agree, expected, tied

import kdprobe.report.pictures
from kdprobe.report import write_report


class Explorer:
    """The explorer of a page, as a reader uses it."""

    def __init__(self, page: Page, record, rules):
        self.page, self.explorer, self.rules = page, record.explorer, rules
        self.layer, self.images, self.n = 0, list(range(SHOWN)), 0

    def set(self, name: str, value, event: str = "input") -> None:
        """A value where a hand would put it: the slider says `input`, a list `change`."""
        self.page.run(
            """const field = document.getElementById(arguments[0]); field.value = arguments[1];
            field.dispatchEvent(new Event(arguments[2], {bubbles: true}));""",
            f"explorer-{name}", str(value), event,
        )  # fmt: skip

    def key(self, name: str, key: str, code: int, times: int = 1) -> None:
        self.page.run("document.getElementById(arguments[0]).focus()", f"explorer-{name}")
        self.page.press(key, code=code, times=times)

    def value(self, name: str) -> float:
        return float(self.page.run("return document.getElementById(arguments[0]).value", f"explorer-{name}"))

    def show(self, n: int) -> None:
        self.page.run("document.querySelector(`[data-image='${arguments[0]}']`).click()", n)
        self.n = n

    def agrees(self) -> int:
        """Compares every number of the page with Python's at the page's epoch and margin; returns how many."""
        found = self.page.run(
            "return [...document.querySelectorAll('[data-number]')].map((e) => [e.dataset.number, e.dataset.value])"
        )
        layer = self.explorer.layers[self.layer]
        epochs = sorted({epoch for network in layer.networks for epoch in network.epochs})
        now, margin = epochs[int(self.value("epoch"))], self.value("margin-number")
        values = {key: None if text == "" else float(text) for key, text in found}
        wanted_keys = {
            f"{i}/{metric}/{scope}"
            for i in range(len(layer.networks))
            for metric in METRICS
            for scope in ("image", "all")
        }
        assert set(values) == wanted_keys and len(found) == len(wanted_keys)
        for i, network in enumerate(layer.networks):
            epoch = max(k for k, each in enumerate(network.epochs) if each <= now)
            for scope, images in (("image", [self.n]), ("all", self.images)):
                wanted = expected(network, layer.layer, epoch, margin, images, **self.rules)
                shown = {metric: values[f"{i}/{metric}/{scope}"] for metric in METRICS}
                exact = COUNTS if scope == "image" else ()
                assert agree(shown, wanted, exact=exact), (network.name, scope, now, margin, shown, wanted)
        return len(found)

    def words(self, selector: str) -> list[str]:
        return self.page.run(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
        )


@pytest.fixture(
    scope="module",
    params=[*RULES[::3], *(pytest.param(rules, marks=pytest.mark.slow) for rules in RULES[1:3])],
    ids=lambda rules: "-".join(map(str, rules.values())),
)
def written(request, tmp_path_factory):
    """A record, how it counts, and its report; the figures are one white pixel."""
    record = tied(2, **request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kdprobe.report.pictures, "png_bytes", lambda figure: PIXEL)
        return record, request.param, write_report(record, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def opened(browser, written):
    return Page(browser, written[2])


@pytest.fixture
def explorer(opened, written):
    record, rules, _ = written
    yield Explorer(begun(opened), record, rules)
    assert opened.silent()


def test_the_page_shows_pythons_numbers_wherever_the_sliders_are(explorer):
    assert explorer.agrees() == 4 * 4 * 2
    for epoch, margin in ((0, 0.2), (3, 0.05), (6, TIE), (7, 0.44), (12, 0.01), (12, 0.9)):
        explorer.set("epoch", epoch)
        explorer.set("margin", margin)
        assert [explorer.value(name) for name in ("epoch", "margin", "margin-number")] == [
            epoch,
            margin,
            margin,
        ]
        explorer.agrees()
    for margin in (nextafter(TIE, 0), TIE, nextafter(TIE, 1), 1e-9, 17.5):
        explorer.set("margin-number", repr(margin))
        assert explorer.value("margin-number") == margin
        explorer.agrees()
    if explorer.rules["empty"] == "skip":
        assert "no concept" in " ".join(explorer.words("article.network td"))


def test_both_sliders_move_by_the_keyboard(explorer):
    explorer.key("epoch", "Home", 36)
    assert explorer.value("epoch") == 0
    explorer.agrees()
    explorer.key("epoch", "ArrowRight", 39, times=4)
    assert explorer.value("epoch") == 4
    explorer.agrees()
    before = explorer.value("margin-number")
    explorer.key("margin", "ArrowRight", 39, times=5)
    assert explorer.value("margin-number") == pytest.approx(before + 0.05)
    explorer.agrees()
    explorer.key("margin", "Home", 36)
    assert explorer.value("margin-number") == 0.01
    explorer.agrees()


def test_any_image_class_and_layer_can_be_picked(explorer):
    for n in (3, SHOWN - 1, 0):
        explorer.show(n)
        explorer.agrees()
    explorer.page.run("document.getElementById('explorer-next').click()")
    explorer.n = 1
    explorer.agrees()
    explorer.set("layer", 1, "change")
    explorer.layer = 1
    explorer.agrees()
    explorer.set("class", 1, "change")
    explorer.images = [n for n in range(SHOWN) if n % 2 == 1]
    assert explorer.words("[data-image]") == [""] * len(explorer.images)
    explorer.agrees()
    explorer.page.run("document.getElementById('explorer-previous').click()")
    explorer.n = explorer.images[-1]
    explorer.agrees()
    explorer.set("class", "", "change")
    explorer.images = list(range(SHOWN))
    explorer.agrees()


def test_the_margin_goes_back_to_the_experiments(explorer):
    explorer.set("margin", 0.5)
    explorer.page.run("document.getElementById('explorer-reset').click()")
    assert explorer.value("margin") == explorer.value("margin-number") == 0.2
    explorer.agrees()


def test_the_path_of_a_cell_over_the_epochs_is_shown_on_click_and_by_key(explorer):
    page, words = explorer.page, ".cell-path li"
    assert explorer.words(words) == []
    page.run(
        """const canvas = document.querySelector("article.network canvas"); canvas.scrollIntoView();
        const box = canvas.getBoundingClientRect(), [row, column, grid] = arguments, at = (k) => (k + 0.5) / grid;
        canvas.dispatchEvent(new MouseEvent("click", {bubbles: true, clientX: box.left + at(column) * box.width,
          clientY: box.top + at(row) * box.height}));""",
        2,
        5,
        GRID,
    )
    layer = explorer.explorer.layers[0]
    found = explorer.words(words)
    assert len(found) == len(layer.networks)
    for network in layer.networks:
        level = network.baseline_entropy[-1]
        level = level if level.ndim == 0 else level[0]
        away = network.entropy[-1, 0, 2, 5] - level
        (line,) = [text for text in found if text.startswith(f"{network.name} ")]
        assert f"{abs(away):.2f}"[:3] in line
        assert line.endswith("a concept") == bool(-away > 0.2) == (not line.endswith("no concept"))
    title = page.wait("return document.querySelector('.cell-path .chart')?.textContent")
    ground = "foreground" if explorer.explorer.foreground[0, 2, 5] else "background"
    assert f"row 3, column 6 ({ground})" in title
    page.run("document.querySelector('article.network canvas').focus()")
    page.press("ArrowDown", code=40)
    assert page.wait(
        "return document.querySelector('.cell-path .chart')?.textContent.includes('row 4, column 6')"
    )

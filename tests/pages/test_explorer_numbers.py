"""The explorer's controls, and the numbers that follow them; what is expected comes from the maps by NumPy."""

import numpy as np
import pytest
from browser import Page
from pages.stand_in import begun, counted, explorer_page, put
from report.tied_maps import CLASSES, SHOWN, tied

from kdprobe.plots import unit
from kdprobe.report.words import WORDS

LABELS = np.array([k % 2 for k in range(SHOWN)])


@pytest.fixture(scope="module")
def explorer():
    return tied().explorer


@pytest.fixture(scope="module")
def path(tmp_path_factory, explorer):
    return explorer_page(tmp_path_factory.mktemp("explorer") / "explorer.html", explorer)


@pytest.fixture(scope="module")
def opened(browser, path):
    return Page(browser, path)


@pytest.fixture
def page(opened):
    yield begun(opened)
    assert opened.silent()


def number(page, index, metric, scope):
    text = page.run(
        "return document.querySelector(`[data-number='${arguments[0]}']`).dataset.value",
        f"{index}/{metric}/{scope}",
    )
    return float(text) if text else None


def all_counts(page, index):
    return number(page, index, "n_foreground", "all"), number(page, index, "n_background", "all")


LOOK = """return [document.body.outerHTML, [...document.querySelectorAll("canvas.cells")].map((c) => c.toDataURL()),
  [...document.querySelectorAll("input, select")].map((e) => [e.value, e.checked, e.max]),
  document.activeElement.tagName, scrollY]"""


def test_what_one_test_did_to_the_page_the_next_one_does_not_see(browser, path):
    page = Page(browser, path)
    shelf = "return kdprobe.explorer.state.picture(0).pale !== null"
    page.wait(shelf)
    page.rest()
    new = page.run(LOOK)
    for field, value in {"layer": 1, "class": 1, "epoch": 2, "margin": 0.5, "margin-number": "0.7"}.items():
        put(page, f"explorer-{field}", value)
    page.run(
        "for (const id of ['outline', 'next', 'play']) document.getElementById(`explorer-${id}`).click()"
    )
    page.run("document.querySelector('[data-choice=path]').click(); kdprobe.explorer.change({cell: 3})")
    page.run("document.querySelectorAll('#live-curves .switches > :last-child button')[1].click()")
    page.wait("return document.querySelectorAll('.cell-path .point, .series.dash .point').length > 40")
    page.run("document.querySelector('.cell-path .point[tabindex=\"0\"]').focus()")
    page.width(500)
    page.rest()
    for was, now in zip(new, page.run(LOOK), strict=True):
        assert was != now
    assert begun(page).wait(shelf)
    page.rest()
    for was, now in zip(new, page.run(LOOK), strict=True):
        assert was == now


def test_it_begins_at_the_last_epoch_and_the_margin_of_the_experiment(browser, path, explorer):
    page = Page(browser, path)
    for index, network in enumerate(explorer.layers[0].networks):
        inside, beside = counted(network, "fc1", len(network.epochs) - 1, 0.2)
        assert all_counts(page, index) == (inside.mean(), beside.mean())
    assert (
        page.run("return document.getElementById('explorer-own').textContent")
        == "at the margin of the experiment"
    )


def test_the_live_numbers_are_written_as_in_the_tables(page):
    shown = page.run("return kdprobe.metrics")
    assert set(shown) < set(WORDS)
    for name, sign in shown.items():
        words = WORDS[name]
        assert (sign["letter"], sign["index"], sign["unit"]) == (words.letter, words.index, unit(name))
        assert sign["title"].removesuffix(" so far") == words.title


def test_epoch_margin_and_layer_move_the_numbers(page, explorer):
    put(page, "explorer-layer", 1)
    put(page, "explorer-epoch", 3)
    put(page, "explorer-margin", 0.37)
    for index, network in enumerate(explorer.layers[1].networks):
        inside, beside = counted(network, "conv", 3, 0.37)
        assert all_counts(page, index) == (inside.mean(), beside.mean())
        assert number(page, index, "n_foreground", "image") == inside[0]


def test_a_card_says_the_accuracy_of_its_epoch_and_over_how_many_images_its_means_run(page, explorer):
    named = {network.name: network for network in explorer.layers[0].networks}
    for epoch in (3, 5):
        put(page, "explorer-epoch", epoch)
        cards = page.run(
            "return [...document.querySelectorAll('.network')].map((card) => [card.ariaLabel,"
            " card.querySelector('.where').textContent, card.querySelector('thead th:last-child').textContent])"
        )
        assert len(cards) == len(named)
        for name, where, means in cards:
            assert where.endswith(f"accuracy {100 * named[name].accuracy[epoch]:.1f}\u00a0%")
            assert means == "mean of 6 of 8 images"


def test_a_class_leaves_its_images_in_means_and_strip(page, explorer):
    put(page, "explorer-class", 1)
    network = explorer.layers[0].networks[0]
    inside, beside = counted(network, "fc1", len(network.epochs) - 1, 0.2)
    of_class = LABELS == 1
    assert all_counts(page, 0) == pytest.approx((inside[of_class].mean(), beside[of_class].mean()), abs=1e-12)
    assert number(page, 0, "n_foreground", "image") == inside[of_class][0], "the first image of the class"
    assert page.run("return document.querySelectorAll('.thumbnails button').length") == of_class.sum()
    assert f"{of_class.sum()} images of class {CLASSES[1]}" in page.run(
        "return document.querySelector('.live').textContent"
    )


def test_images_are_chosen_by_button_picture_and_key(page, explorer):
    network = explorer.layers[0].networks[0]
    inside, _ = counted(network, "fc1", len(network.epochs) - 1, 0.2)
    page.run("document.getElementById('explorer-previous').click()")
    assert number(page, 0, "n_foreground", "image") == inside[SHOWN - 1]
    page.run("document.querySelectorAll('.thumbnails button')[2].click()")
    assert number(page, 0, "n_foreground", "image") == inside[2]
    page.run("document.querySelectorAll('.thumbnails button')[2].focus()")
    page.press("ArrowRight", code=39)
    assert number(page, 0, "n_foreground", "image") == inside[3]
    assert page.run("return document.activeElement.dataset.image") == "3"


def test_a_network_with_fewer_epochs_stays_at_its_last_and_says_so(page, explorer):
    said = page.run("return [...document.querySelectorAll('.network .where')].map((e) => e.textContent)")
    shorter = [text for text in said if "epoch 6: its last" in text]
    assert len(said) == 3 and len(shorter) == 2
    put(page, "explorer-epoch", 6)
    assert not page.run("return document.getElementById('explorer').textContent.includes('its last')")


def test_the_margin_can_be_typed_and_put_back_exactly(page, explorer):
    network = explorer.layers[0].networks[1]
    put(page, "explorer-margin-number", "0.123456")
    expected = counted(network, "fc1", len(network.epochs) - 1, 0.123456)
    assert all_counts(page, 1) == (expected[0].mean(), expected[1].mean())
    assert (
        page.run("return document.getElementById('explorer-own').textContent")
        == "the experiment's margin is 0.2"
    )
    page.run("document.getElementById('explorer-reset').click()")
    assert page.run("return kdprobe.explorer.state.b") == 0.2
    assert page.run("return document.getElementById('explorer-margin-number').value") == "0.2"


def test_no_margin_is_typed_by_an_empty_or_negative_field(page):
    for text in ("", "-1", "0"):
        put(page, "explorer-margin-number", text)
        assert page.run("return kdprobe.explorer.state.b") == 0.2


def test_beyond_the_margin_slider_no_concept_is_left(page):
    page.run("kdprobe.explorer.change({b: Number(document.getElementById('explorer-margin').max)})")
    for epoch in (0, 6, 12):
        put(page, "explorer-epoch", epoch)
        assert [all_counts(page, index) for index in range(3)] == [(0, 0)] * 3
    assert number(page, 0, "relevance_ratio", "all") is None
    assert "no concept" in page.run("return document.querySelector('.live').textContent")
    assert "NaN" not in page.run("return document.body.innerText")


def test_play_runs_through_the_epochs_and_stops_at_the_last(page):
    put(page, "explorer-epoch", 10)
    page.run("document.getElementById('explorer-play').click()")
    page.wait("return kdprobe.explorer.state.step === 12")
    page.wait("return document.getElementById('explorer-play').getAttribute('aria-label').startsWith('Play')")
    page.run("document.getElementById('explorer-play').click()")
    assert page.run("return kdprobe.explorer.state.step") == 0, "from the start again"
    page.run("document.getElementById('explorer-play').click()")


def test_who_wants_no_motion_goes_on_epoch_by_epoch(browser, path):
    page = Page(browser, path)
    page.command(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}]
    )
    browser.refresh()
    put(page, "explorer-epoch", 2)
    page.run("document.getElementById('explorer-play').click()")
    assert page.run(
        "return [kdprobe.explorer.state.step, document.getElementById('explorer-play').ariaLabel]"
    ) == [3, "Next epoch"]
    browser.get("about:blank")  # the next test opens the page as it is for others

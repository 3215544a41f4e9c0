"""live.html in a real browser: curves, the switch, the reload, and nothing that it should not do."""

import pytest
from browser import Page
from browser_checks import faint, nameless, pdf_pages, too_wide, unreached
from live.logs import experiment, probe_line
from live.test_page import EVIL, picture

from kdprobe.live import read_lines
from kdprobe.live.page import write_page

METRICS = 4
RELOAD = 1  #: seconds


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Nobody waits for the page's own five seconds."""
    monkeypatch.setattr("kdprobe.live.page.RELOAD", RELOAD)


@pytest.fixture
def folder(tmp_path):
    return experiment(tmp_path, teacher=4, baseline=2)


def opened(browser, folder, *, lines=None, done=False, title="Title", **options) -> Page:
    lines = read_lines(folder) if lines is None else lines
    shown = [picture("teacher", 4), picture("baseline", 2, seed=1)]
    write_page(folder / "live.html", lines, shown, title, done=done)
    page = Page(browser, folder / "live.html", **options)
    page.run("sessionStorage.clear(); location.reload()")
    page.wait(
        "return document.readyState === 'complete' && document.querySelectorAll('#charts svg.c0').length > 0"
    )
    return page


def notes(page: Page) -> list[str]:
    """What the charts say of their points."""
    return page.run(
        "return [...document.querySelectorAll('#charts .chart')].map((chart) => chart.textContent)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_silent_narrow_named_and_legible(browser, folder, scheme, width):
    page = opened(browser, folder, width=width, scheme=scheme)
    assert len(notes(page)) == METRICS
    assert too_wide(page) == [] and nameless(page) == [] and faint(page) == []
    assert page.silent()


def test_the_keyboard_reaches_everything(browser, folder):
    assert unreached(opened(browser, folder, done=True)) == []


def test_curves_can_be_seen_over_the_weight_path(browser, folder):
    page = opened(browser, folder)
    pressed = "return document.querySelector('#axis [aria-pressed=true]').textContent"
    assert page.run(pressed) == "epochs" and all("epoch" in each for each in notes(page))
    page.run("document.querySelector('[data-axis=path]').click()")
    assert page.run(pressed) == "weight path"
    assert all("weight path / units of the initial norm" in each for each in notes(page))


def test_it_shows_what_was_written_since_and_keeps_what_the_reader_chose(browser, folder):
    page = opened(browser, folder, width=360)
    page.run("document.querySelector('[data-axis=path]').click()")
    page.run("document.querySelector('#charts .chart-legend button').click(); document.activeElement.blur()")
    page.run("scrollTo(0, 700)")
    write_page(folder / "live.html", read_lines(experiment(folder, teacher=4, baseline=3)), [], "Later")
    page.wait(
        "return document.querySelector('h1').textContent === 'Later' && document.readyState === 'complete'"
    )
    assert page.run("return document.querySelector('#axis [aria-pressed=true]').dataset.axis") == "path"
    off = "return [...document.querySelectorAll('.chart-legend [aria-pressed=false]')].map((each) => each.textContent)"
    assert page.run(off) == ["teacher"]
    assert abs(page.run("return scrollY") - 700) < 60


def test_it_can_be_paused_and_ends_with_the_training(browser, folder):
    page = opened(browser, folder)
    page.run("window.same = true; document.getElementById('pause').click()")
    assert page.run("return document.getElementById('reload').textContent") == "Reloading is paused."
    page.wait(f"return performance.now() > {2500 * RELOAD}")
    assert page.run("return window.same")
    page = opened(browser, folder, done=True)
    assert page.run("return document.getElementById('pause')") is None


def test_names_that_are_html_or_script_do_nothing(browser, tmp_path):
    lines = {EVIL: [probe_line(k, layer=EVIL, warning=EVIL) for k in range(3)]}
    page = opened(browser, tmp_path, lines=lines, title=EVIL)
    assert EVIL in page.run("return document.querySelector('h1').textContent")
    assert page.run("return typeof hacked") == "undefined"
    assert page.run("return document.querySelectorAll('img').length") == 2
    assert page.silent()


def test_it_prints(browser, folder):
    assert pdf_pages(opened(browser, folder, done=True).printed()) in (1, 2, 3)


def test_a_hundred_epochs_of_eight_networks_are_drawn_quickly_enough_to_reload(browser, tmp_path):
    lines = {f"n{k}": [probe_line(epoch) for epoch in range(400)] for k in range(8)}
    page = opened(browser, tmp_path, lines=lines)
    assert page.run("return document.querySelectorAll('#charts svg').length") >= METRICS
    assert page.silent()

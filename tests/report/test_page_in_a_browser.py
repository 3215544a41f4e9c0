"""The report in a real browser, opened from its file: silent, harmless, legible, narrow, reachable, printable."""

import re
from base64 import b64decode
from dataclasses import replace

import pytest
from browser import WIDTHS, Page, started
from browser_checks import faint, nameless, pdf_glyphs, pdf_pages, too_wide, unreached
from report.tied_maps import PIXEL, tied

import kdprobe.report.pictures
from kdprobe.records import Hypothesis, Record
from kdprobe.report import write_report

ATTACKS = (
    "<img src=x onerror=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    '" onmouseover="window.hacked=1" x="',
    "</style></noscript></title><script>window.hacked=1</script>",
    "<!--<script>",
    "\u2028javascript:window.hacked=1;//${window.hacked=1}",
)


@pytest.fixture
def one_pixel(monkeypatch):
    """The figures are one white pixel: what stands in them is another test's."""
    monkeypatch.setattr(kdprobe.report.pictures, "png_bytes", lambda figure: PIXEL)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_report(tied(), tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def opened(browser, path):
    return Page(browser, path)


@pytest.fixture
def page(opened):
    """The page of `path`, which remembers nothing of what is done here."""
    yield opened.again()
    assert opened.silent()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_its_file_and_says_and_asks_nothing(browser, path, scheme):
    page = Page(browser, path, scheme=scheme)
    assert page.run("return location.protocol") == "file:"
    assert page.run("return document.querySelectorAll('input[type=range]').length") >= 2
    assert page.silent()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_document_never_scrolls_to_the_side(browser, path, width, tmp_path):
    page = Page(browser, path, width=width)
    assert too_wide(page) == []
    assert page.picture(tmp_path / f"{width}.png").stat().st_size > 20_000


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page, width, scheme):
    assert faint(page.again(width=width, scheme=scheme)) == []


def test_dark_is_dark(page):
    colours = {
        scheme: page.again(scheme=scheme).run("return getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert colours["light"] == "rgb(255, 255, 255)" and colours["dark"] != colours["light"]


def test_everything_that_can_be_used_or_seen_has_a_name(page):
    assert nameless(page) == []


def test_tab_comes_to_every_control_and_shows_where_it_is(page):
    assert unreached(page) == []


def test_it_prints_with_all_its_words(page):
    pdf = page.printed()
    page.scheme("light", media="print")
    letters = page.run(r"return document.body.innerText.replace(/\s/g, '').length")
    assert pdf.startswith(b"%PDF-") and letters > 3000
    assert pdf_glyphs(pdf) >= letters
    assert 2 <= pdf_pages(pdf) <= 40
    assert faint(page) == []


#: fields in which a user's own texts stand
OWN = {
    "name", "recipe", "layer", "title", "ids", "classes", "notes", "label", "image_id", "student", "baseline",
    "accuracy_note", "settings", "provenance", "counting", "entropy", "concepts",
}  # fmt: skip


def hostile(value, attack: str, own: bool = False):
    """The same record with the attack before every text that a user chose."""
    if isinstance(value, str):
        return attack + value if own else value
    if isinstance(value, Record):
        users = OWN - {"name"} if isinstance(value, Hypothesis) else OWN  # H1, H2 and H3 are kdprobe's
        return replace(
            value,
            **{
                name: hostile(getattr(value, name), attack, name in users)
                for name in value.__dataclass_fields__
            },
        )
    if isinstance(value, dict):
        return {hostile(key, attack, own): hostile(item, attack, own) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(hostile(item, attack, own) for item in value)
    return value


@pytest.mark.parametrize(
    "attack", [*ATTACKS[:2], *(pytest.param(attack, marks=pytest.mark.slow) for attack in ATTACKS[2:])]
)
def test_texts_that_are_html_or_script_are_shown_and_do_nothing(browser, tmp_path, attack, one_pixel):
    record = hostile(tied(1), attack)
    page = Page(browser, write_report(record, tmp_path))
    page.wait("return document.querySelectorAll('[data-number]').length > 0")
    for key, code in (("n", 78), ("ArrowDown", 40)):
        page.run("document.querySelector('article.network canvas').focus()")
        page.press(key, code=code)
    page.run(
        "document.querySelector('[data-image]').dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))"
    )
    assert page.run("return window.hacked") is None
    title = page.run("return document.querySelector('h1').textContent")
    assert title == record.title and title.startswith(attack)
    names = page.run("return [...document.querySelectorAll('article.network h3')].map((e) => e.textContent)")
    assert sorted(names) == sorted(n.name for n in record.networks)
    text = " ".join(page.run("return document.body.innerText").split())
    wanted = " ".join(attack.split())
    assert text.count(wanted) > 20
    assert page.run("return document.querySelector('#explorer-class').textContent").count(attack) == 2
    assert page.run("return [...document.images].filter((e) => !e.src.startsWith('data:')).length") == 0
    assert (
        page.run(
            "return [...document.querySelectorAll('*')].filter((e) => e.onmouseover || e.onerror).length"
        )
        == 0
    )
    assert too_wide(page) == [] and page.silent()


def test_no_long_name_leaves_its_column(browser, tmp_path, one_pixel):
    record = hostile(tied(1), "w" * 60)
    page = Page(browser, write_report(record, tmp_path), width=1280)
    wide = """return [...document.querySelectorAll('.metrics thead th')].filter((cell) =>
        [...cell.children].some((e) => e.scrollWidth > cell.clientWidth)).length"""
    assert page.run("return document.querySelectorAll('.metrics thead th .small').length") == 3
    assert page.run(wide) == 0


def test_explorer_and_tables_round_an_accuracy_and_a_mean_alike(browser, tmp_path, one_pixel):
    record = tied(1)
    half = 0.2625  # 26.25 %: a half to round
    layers = tuple(
        replace(layer, networks=tuple(replace(n, accuracy=(half,) * len(n.epochs)) for n in layer.networks))
        for layer in record.explorer.layers
    )
    networks = tuple(
        replace(n, accuracy=half, accuracy_by_epoch=(half,) * len(n.epochs)) for n in record.networks
    )
    record = replace(record, networks=networks, explorer=replace(record.explorer, layers=layers))
    page = Page(browser, write_report(record, tmp_path))
    page.wait("return document.querySelectorAll('[data-number]').length > 0")
    heads = page.run("return [...document.querySelectorAll('.network .where')].map((e) => e.textContent)")
    assert heads and all(head.endswith("accuracy 26.2\u00a0%") for head in heads)
    assert page.run("return document.getElementById('metrics').innerText").count("26.2 %") > 3
    shown = page.run(
        "return [...document.querySelectorAll('[data-number]')].map((e) => [e.dataset.number, e.dataset.value,"
        " e.textContent])"
    )
    for name, value, text in shown:
        cells, whole = "/n_" in name, name.endswith("image")
        decimals = (0 if whole else 1) if cells else 3
        assert text == (f"{float(value):.{decimals}f}" if value else "–"), name


def test_a_title_that_never_breaks_does_not_widen_the_page(browser, tmp_path, one_pixel):
    record = hostile(tied(1), "W" * 300)
    page = Page(browser, write_report(record, tmp_path), width=360)
    assert too_wide(page) == []


def test_without_scripts_the_pictures_are_there(path):
    with started(script=False) as browser:
        page = Page(browser, path, width=800)
        shown = page.run(
            """return [...document.images].filter((e) => e.checkVisibility() && e.naturalWidth > 300 &&
            e.getBoundingClientRect().height > 50 && e.alt.length > 60).length"""
        )
        assert shown >= 2, "curves and maps"
        assert page.run("return document.querySelectorAll('[data-number]').length") == 0
        assert too_wide(page) == [] and page.silent()


def test_a_network_has_one_colour_in_explorer_and_overview(browser, tmp_path, one_pixel):
    page = Page(browser, write_report(tied(2), tmp_path))
    cards = (
        "return [...document.querySelectorAll('article.network')].map((e) => [e.ariaLabel, e.classList[1]])"
    )
    points = (
        "const {rows} = JSON.parse(document.getElementById('kdprobe-overview').textContent);"
        "return [...document.querySelectorAll('.scatter .point')]"
        ".map((e) => [rows[e.dataset.row].network, e.classList[1]])"
    )
    colours = dict(page.run(cards))
    assert dict(page.run(points)) == colours
    assert colours.pop("teacher") == "c6" and colours.pop("baseline") == "c1"
    assert [*colours.values()] == ["c0", "c2"]


def test_an_explorer_that_fails_takes_nothing_else_with_it(browser, tmp_path, one_pixel):
    path = write_report(tied(2), tmp_path)
    there = (
        "return [document.querySelectorAll('#files li').length, document.querySelectorAll('.sort').length]"
    )
    page = Page(browser, path)
    sound = page.run(there)
    assert page.silent() and min(sound) > 0
    text, damaged = re.subn(r'"foreground":"[^"]+"', '"foreground":"?"', path.read_text(), count=1)
    path.write_text(text)
    page = Page(browser, path)
    assert damaged == 1 and page.complaints() and page.run("return kdprobe.explorer === undefined")
    assert page.run(there) == sound


def test_every_picture_can_be_saved_and_every_command_copied(browser, tmp_path, one_pixel):
    record = tied(1)
    record = replace(record, settings=record.settings | {"config": {"seed": 3, "measure": {}}})
    page = Page(browser, write_report(record, tmp_path))
    files = dict(
        page.run("return [...document.querySelectorAll('#files a')].map((e) => [e.download, e.href])")
    )
    assert {"curves.png", "concept_maps_01.png", "config.yaml", "metrics.csv"} <= set(files)
    assert b64decode(files["curves.png"].removeprefix("data:image/png;base64,")) == PIXEL
    blocks = page.run("return [...document.querySelectorAll('pre.code')].map((e) => e.textContent)")
    assert len(blocks) == 2 and "kdprobe run --config config.yaml" in blocks[0] and "seed: 3" in blocks[1]
    for k, text in enumerate(blocks):
        page.run("document.querySelectorAll('button.copy')[arguments[0]].click()", k)
        page.wait("return document.querySelectorAll('button.copy')[arguments[0]].textContent !== 'Copy'", k)
        assert page.run("return getSelection().toString()").strip() == text.strip()
    assert page.silent()


def test_it_is_seen_to_complain_about_what_a_page_must_not_do(browser, tmp_path):
    policy = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    path = tmp_path / "bad.html"
    path.write_text(
        f"<!doctype html>{policy}<title>bad</title><link rel=icon href=data:,><img src=x onerror=window.hacked=1>"
        "<script>window.hacked=1</script><p style='color:#999'>grey</p><input type=range><div tabindex=0></div>"
        "<button onfocus=this.blur()>never</button><p>" + "W" * 999
    )
    page = Page(browser, path, width=360)
    assert len(page.complaints()) >= 3 and len(page.requests()) >= 2
    assert too_wide(page) and any(each.startswith("slider") for each in nameless(page))
    path.write_text(path.read_text().replace(policy, ""))
    page = Page(browser, path, width=360)
    assert page.wait("return window.hacked") == 1
    assert any(each.startswith("grey") for each in faint(page))
    assert any("never" in each for each in unreached(page))
    with pytest.raises(AssertionError):
        page.silent()

"""The HTML report: complete, self-contained, harmless whatever the names are."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from functools import cache
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser

import pytest
import yaml
from report.explorers import explored
from report.summaries import NAN, summary

import kdprobe.report.pictures
from kdprobe.metrics import METRICS
from kdprobe.records import Interval
from kdprobe.report import write_report, write_tables
from kdprobe.report.page import render
from kdprobe.report.words import FINDINGS, LIMITS, TERMS, WORDS


class Page(HTMLParser):
    """All start tags with their attributes, and the visible text."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th", "li"):
            self.text += " "
        if tag in ("style", "script", "title"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@pytest.fixture(autouse=True)
def quick_pictures(request, monkeypatch):
    """Most tests read the text: no figure is made; where one is, it is not drawn into pixels."""
    if "pictures" in request.fixturenames:
        return
    monkeypatch.setattr(kdprobe.report.pictures, "png_bytes", lambda figure: b"\x89PNG stand-in")
    if "figures" not in request.fixturenames:
        for name in ("curves_figure", "maps_figure"):
            monkeypatch.setattr(kdprobe.report.pictures, name, lambda *_, **__: None)


@pytest.fixture
def pictures():
    """Asks for the real pixels."""


@pytest.fixture
def figures():
    """Asks for the figures, but not for their pixels."""


@cache
def page(students: int = 1, maps: int = 1) -> Page:
    return Page(render(with_config(summary(students, maps=maps))))


def with_config(record):
    """`record` with the settings of `kdprobe run`."""
    config = {"seed": 3, "data": {"name": "tiny_imagenet"}, "measure": {"probe_seed": 7, "margin": 0.2}}
    return replace(record, settings={"config": config, **record.settings})


ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "</style><script>alert(1)</script>",
    "{{ 7 * 191 }}{% raw %}",
    "javascript:alert(1)",
    "<!-- ]]>",
    "</noscript></pre></textarea><b>",
    "line\u2028and\u2029paragraph",
)


def hostile(attack: str):
    """An experiment in which every text that a user chooses is the attack."""
    record = summary(1, maps=1)
    old = record.networks[-1].name
    maps = record.maps[0]
    return replace(
        record,
        title=attack,
        networks=tuple(
            replace(
                n, name=attack if n.name == old else n.name, recipe=attack, layer=attack, accuracy_note=attack
            )
            for n in record.networks
        ),
        comparisons=tuple(replace(c, student=attack) for c in record.comparisons),
        hypotheses=tuple(replace(h, student=attack, statement=attack) for h in record.hypotheses),
        maps=(
            replace(
                maps,
                label=attack,
                image_id=attack,
                entropy={attack: maps.entropy[old]},
                concepts={attack: maps.concepts[old]},
            ),
        ),
        settings={attack: {attack: attack}, "config": {attack: attack, "seed": attack}},
        provenance={"command": attack, "list": [attack, {attack: attack}]},
        notes=(attack,),
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_that_are_html_or_script_do_nothing(attack, figures):
    seen = Page(render(hostile(attack)))
    plain = page()
    assert {tag for tag, _ in seen.tags} <= {tag for tag, _ in plain.tags}
    known = {name for _, attributes in plain.tags for name in attributes}
    assert {name for _, attributes in seen.tags for name in attributes} <= known
    assert sum(tag == "script" for tag, _ in seen.tags) == 1  # the page's own
    for _, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith(("#", "data:"))
    assert " ".join(attack.split()) in seen.words


def test_nothing_is_loaded_from_anywhere():
    for tag, attributes in page().tags:
        for name in ("src", "srcset", "href", "action", "data", "poster"):
            address = attributes.get(name, "#")
            inside = ("#", "data:image/png;base64,")
            assert address.startswith(inside) or address == "data:," or "download" in attributes, (
                tag,
                address[:40],
            )
            if name == "href" and "download" in attributes:
                assert address.startswith(("data:text/csv;", "data:application/yaml;"))
    style = render(summary(0, maps=0)).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_the_policy_admits_the_style_the_script_and_pictures_and_nothing_else():
    html = render(explored(summary(1, maps=0)))
    policy = next(
        a["content"] for t, a in Page(html).tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    rules = {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    for element in ("style", "script"):
        found = re.findall(rf"<{element}>(.*?)</{element}>", html, re.DOTALL)
        assert len(found) == 1 and len(found[0]) > 500
        digest = b64encode(sha256(found[0].encode()).digest()).decode()
        rules[f"{element}-src"] = f"'sha256-{digest}'"
    assert dict(rule.strip().split(" ", 1) for rule in policy.split(";")) == rules
    for _, attributes in Page(html).tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_the_script_makes_no_markup_out_of_text_and_fetches_nothing():
    script = re.findall(r"<script>(.*?)</script>", render(explored(summary(1, maps=0))), re.DOTALL)[0]
    ways = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch(",
            "XMLHttpRequest", "import(", "WebSocket", "sendBeacon", "DOMParser")  # fmt: skip
    assert [way for way in ways if way in script] == []


def test_the_verdicts_stand_at_the_top_in_words_with_their_numbers():
    record = summary(2)
    seen = page(2).words
    top = seen[: seen.index("Metrics of each network")]
    for h in record.hypotheses:
        assert FINDINGS[h.name][h.verdict] in top
    assert {h.verdict for h in record.hypotheses} == {"supported", "undecided"}
    assert "H1 and H2 supported; H3 undecided." in top
    assert "Nfg +3.8 [+1.5, +6.1] n = 38" in top


def test_a_metric_against_the_expectation_is_called_mixed_or_contradicted():
    record = summary(1)
    turned = tuple(
        replace(c, verdict="contradicted") if c.metric == "n_background" else c for c in record.comparisons
    )
    judged = tuple(replace(h, verdict="undecided") if h.name == "H1" else h for h in record.hypotheses)
    assert (
        "The metrics disagree" in Page(render(replace(record, comparisons=turned, hypotheses=judged))).words
    )
    missing = tuple(
        replace(c, difference=NAN, low=NAN, high=NAN, n=0, verdict="undecided") for c in record.comparisons
    )
    assert "has no value" in Page(render(replace(record, comparisons=missing, hypotheses=judged))).words


def test_every_number_has_its_interval_and_n():
    record = summary(1)
    seen = page(1).words
    for n in record.networks:
        for found in n.metrics.values():
            assert f"n = {found.n}" in seen
    assert "13.6 [12.5, 15.0] n = 40" in seen
    assert seen.count("n = ") >= 7 * len(record.networks) + 7 + 6


def test_words_limits_notes_settings_and_accuracy_are_there():
    seen = page().words
    for words in WORDS.values():
        assert words.meaning in seen
    assert all(limit in seen for limit in LIMITS)
    assert "2 of 42 probe images were left out" in seen
    assert "leave out the variation between seeds" in seen
    assert "teacher 12, baseline 6, student-feature 6" in seen
    assert "Noise ceiling" in seen and "student-feature 0.91" in seen
    assert "did not reach the protocol's target entropy: student-feature 3" in seen
    assert "of baseline: lambda 2, D_mean 1, rho 1" in seen
    assert "protocol.target_mean_entropy -2.8" in seen
    assert "0123456789abcdef0123456789abcdef01234567" in seen
    assert "60.0 %" in seen
    for term, meaning in TERMS:
        assert term in seen and meaning in seen


def test_every_metric_is_explained_in_one_sentence_with_unit_range_and_direction():
    seen = page().words
    for metric, words in WORDS.items():
        facts = METRICS[metric]
        assert words.meaning.count(". ") == 0 and words.meaning.endswith(".")
        after = seen[seen.index(words.meaning) + len(words.meaning) :][:120]
        assert "unit: " in after and "range: " in after
        assert ("higher is better" in after.split("range")[1][:60]) == facts.higher_is_better


def test_the_page_says_how_to_make_its_numbers_again():
    record = with_config(explored(summary(1), layers=("fc1", "fc 2")))
    record = replace(record, provenance={"kdprobe": "0.1.0", "torch": "2.9", "git_revision": "0123"})
    html = render(record)
    seen = Page(html).words
    for command in (
        "kdprobe run --config config.yaml --out runs/again",
        "kdprobe measure runs/again --measure.layer 'fc 2'",
        "kdprobe report runs/again",
    ):
        assert command in seen
    assert seen.count("kdprobe measure ") == 1, "the run measures its own layer"
    assert "kdprobe 0.1.0, torch 2.9, revision 0123" in seen
    assert "Seed 3, and 7 for the choice of the probe images" in seen
    shown = unescape(re.findall(r'<pre class="code"[^>]*>(.*?)</pre>', html, re.DOTALL)[1])
    assert yaml.safe_load(shown) == record.settings["config"]
    assert "Make these numbers again" not in Page(render(summary(1))).words  # no config was recorded


def test_the_page_says_in_a_sentence_how_it_was_measured():
    record = with_config(summary(1))
    method = {"layer": "fc<1>", "protocol": "cheng2020", "solver": "decomposed", "seed": 7, "grid": 16}
    record = replace(record, settings=record.settings | {"measurement": method | {"probe_images": 32}})
    seen = Page(render(record)).words
    assert "at layer fc<1> by the protocol cheng2020 with the solver decomposed, seed 7" in seen
    assert "16 × 16 cells of 32 images" in seen
    lacking = replace(record, settings=record.settings | {"measurement": method})
    assert "by the protocol" not in Page(render(lacking)).words


def test_the_downloads_are_the_files_of_the_tables(tmp_path):
    record = with_config(summary(1))
    write_tables(record, tmp_path)
    links = {a["download"]: a["href"] for tag, a in Page(render(record)).tags if "download" in a}
    for name in ("metrics.csv", "comparisons.csv", "curves.csv"):
        kind, content = links.pop(name).split(",")
        assert kind == "data:text/csv;charset=utf-8;base64"
        assert b64decode(content) == (tmp_path / name).read_bytes()
    assert yaml.safe_load(b64decode(links.pop("config.yaml").split(",")[1])) == record.settings["config"]
    assert not links


def test_the_accuracy_note_is_shown():
    record = summary(1)
    note = "classifier not trained yet"
    networks = tuple(replace(n, accuracy_note=note, accuracy=None) for n in record.networks)
    assert Page(render(replace(record, networks=networks))).words.count(note) == len(networks)


def test_the_seed_sentence_is_not_said_twice():
    record = summary(1)
    own = replace(record, notes=("One seed only: intervals leave out the variation between seeds.",))
    assert Page(render(own)).words.count("variation between seeds") == 1


def test_every_picture_is_a_png_with_an_alternative_text(pictures):
    shown = [a for tag, a in Page(render(summary(1, maps=2))).tags if tag == "img"]
    assert len(shown) == 3
    for attributes in shown:
        assert b64decode(attributes["src"].split(",")[1]).startswith(b"\x89PNG\r\n\x1a\n")
        assert len(attributes["alt"]) > 60
    assert "student-feature at epoch 6: N_fg 17.4 [16.3, 18.8]" in shown[0]["alt"]


def test_it_reads_on_a_phone_and_in_the_dark():
    html = render(summary(0, maps=0))
    assert any(a.get("name") == "viewport" for _, a in Page(html).tags)
    assert "prefers-color-scheme: dark" in html and "@media print" in html


@pytest.mark.parametrize("students", [0, 1, 3])
def test_any_number_of_networks_and_no_maps(students, figures):
    seen = Page(render(summary(students, teacher=students > 1, maps=0))).words
    assert "No concept maps were kept" in seen
    assert ("No student was compared" in seen) == (students == 0)


def test_missing_values_and_empty_records_are_written_not_crashed_on(figures):
    record = summary(1)
    empty = {metric: Interval(NAN, NAN, NAN, 0) for metric in WORDS}
    networks = tuple(replace(n, metrics=empty, accuracy=NAN, noise_ceiling=NAN) for n in record.networks)
    seen = Page(render(replace(record, networks=networks))).words
    assert "n/a n = 0" in seen
    nothing = replace(
        record, networks=(), comparisons=(), hypotheses=(), maps=(), settings={}, provenance={}, notes=()
    )
    assert "The experiment holds no network." in Page(render(nothing)).words
    assert "nan" not in seen.lower().replace("prov" + "enance", "")


@pytest.mark.slow  # all pictures twice
def test_the_same_record_gives_the_same_bytes(tmp_path, pictures):
    paths = [write_report(summary(1), tmp_path / name) for name in ("a", "b")]
    assert [path.name for path in paths] == ["index.html"] * 2
    assert paths[0].read_bytes() == paths[1].read_bytes()

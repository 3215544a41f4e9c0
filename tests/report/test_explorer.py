"""The explorer's data: decoded with nothing of kdprobe's, they give kdprobe's numbers, and no text in them gets out."""

import base64
import json
import re
import struct
from dataclasses import replace
from html.parser import HTMLParser
from math import fsum

import numpy as np
import pytest
import torch
from report.explorers import explored, explorer
from report.summaries import NAN, summary

import kdprobe.report.pictures
from kdprobe.metrics import concept_cells, count_concepts, relevance_ratio, stability
from kdprobe.records import Interval
from kdprobe.report import write_report, write_tables
from kdprobe.report.explorer import explorer_data
from kdprobe.report.explorer_file import explorer_bytes, read_explorer
from kdprobe.report.page import render

MARGINS = (0.05, 0.2, 0.35, 0.8, 5.0)


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch):
    """Nothing is drawn."""
    for name in ("curves_figure", "maps_figure"):
        monkeypatch.setattr(kdprobe.report.pictures, name, lambda *_, **__: None)
    monkeypatch.setattr(kdprobe.report.pictures, "png_bytes", lambda figure: b"\x89PNG stand-in")


class Elements(HTMLParser):
    """The text of every script element, by id."""

    def __init__(self, html: str):
        super().__init__()
        self.scripts: dict[str | None, str] = {}
        self.opened: list[str] = []
        self._id, self._inside = None, False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)
        if tag == "script":
            self._id, self._inside = dict(attrs).get("id"), True
            self.scripts[self._id] = ""

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "script"

    def handle_data(self, data):
        if self._inside:
            self.scripts[self._id] += data


def embedded(html: str) -> dict:
    """The data of the page, as json reads them; NaN and infinity are refused."""

    def refused(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(Elements(html).scripts["kdprobe-data"], parse_constant=refused)


def doubles(text: str) -> list[float]:
    content = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(content) // 8}d", content))


def bits(text: str, count: int) -> list[bool]:
    content = base64.b64decode(text, validate=True)
    return [bool(content[k // 8] >> (7 - k % 8) & 1) for k in range(count)]


def plainly(
    data: dict, network: dict, epoch: int, margin: float
) -> tuple[list[int], list[int], float, float]:
    """N_fg and N_bg of each image, lambda and rho up to the place `epoch`, with loops."""
    settings, images = data["settings"], data["images"]
    cells, count = settings["grid"] ** 2, len(images)
    entropy, baseline = doubles(network["entropy"]), doubles(network["baseline_entropy"])
    masks = [bits(image["foreground"], cells) for image in images]

    def concepts(k: int, n: int) -> set[int]:
        level = baseline[k] if settings["scope"] == "dataset" else baseline[k * count + n]
        start = (k * count + n) * cells
        return {i for i in range(cells) if level - entropy[start + i] > margin}

    inside, outside, shares, kept = [], [], [], []
    first = 0 if settings["initial"] in (True, "rho") else 1
    for n, mask in enumerate(masks):
        on = {i for i in range(cells) if mask[i]}
        now = concepts(epoch, n)
        inside.append(len(now & on))
        outside.append(len(now - on))
        ever = set().union(*(concepts(k, n) & on for k in range(first, epoch + 1)))
        for part, whole, ratios in ((inside[-1], len(now), shares), (inside[-1], len(ever), kept)):
            if whole:
                ratios.append(part / whole)
            elif settings["empty"] == "zero":
                ratios.append(0.0)
    return inside, outside, *(fsum(ratios) / len(ratios) if ratios else NAN for ratios in (shares, kept))


@pytest.mark.parametrize(
    ("scope", "empty", "initial"),
    [
        ("dataset", "skip", False),
        ("image", "zero", True),
        ("dataset", "zero", "rho"),
        ("image", "skip", False),
    ],
)
def test_what_the_page_holds_gives_the_metrics_at_every_margin(scope, empty, initial):
    record = explored(summary(1, teacher=False), scope=scope, empty=empty, initial=initial, grid=7)
    data = embedded(render(record))
    totals = set()
    for network, shown in zip(record.explorer.layers[0].networks, data["layers"][0]["networks"], strict=True):
        entropy, foreground = torch.tensor(network.entropy), torch.tensor(record.explorer.foreground)
        for margin in (*MARGINS, exactly_one_cell(network, scope)):
            for epoch in (2, len(network.epochs) - 1):
                cells = concept_cells(entropy, foreground, margin, scope)
                inside, outside = count_concepts(cells[epoch], foreground)
                found = plainly(data, shown, epoch, margin)
                assert found[0] == inside.tolist() and found[1] == outside.tolist()
                expected = relevance_ratio(inside, outside, empty).mean
                assert found[2] == pytest.approx(expected, abs=1e-12, nan_ok=True)
                first = 0 if initial else 1
                expected = stability(cells[first : epoch + 1], foreground, empty).mean
                assert found[3] == pytest.approx(expected, abs=1e-12, nan_ok=True)
                totals.add(sum(found[0]))
    assert 0 in totals and len(totals) > 8


def exactly_one_cell(network, scope: str) -> float:
    """A margin that one cell of the last epoch meets to the bit and, since the rule is strict, does not pass."""
    level = network.baseline_entropy[-1]
    return float((level if scope == "dataset" else level[1]) - network.entropy[-1, 1].min())


def test_every_bit_of_the_maps_arrives():
    record = explored(summary(1), images=3, grid=5, layers=("fc1", "fc2"))
    data = embedded(render(record))
    assert [layer["layer"] for layer in data["layers"]] == ["fc1", "fc2"]
    for layer, shown in zip(record.explorer.layers, data["layers"], strict=True):
        for network, found in zip(layer.networks, shown["networks"], strict=True):
            assert np.array_equal(doubles(found["entropy"]), network.entropy.ravel())
            assert np.array_equal(doubles(found["baseline_entropy"]), network.baseline_entropy.ravel())
            assert found["epochs"] == list(network.epochs) and found["path"] == list(network.path)
            assert found["name"] == network.name and found["role"] == network.role
    for k, image in enumerate(data["images"]):
        assert bits(image["foreground"], 25) == record.explorer.foreground[k].ravel().tolist()
        kind, content = image["picture"].split(",")
        assert kind == "data:image/png;base64" and base64.b64decode(content) == record.explorer.pictures[k]
        assert (image["width"], image["height"], image["id"]) == (24, 24, f"{k:05d}")
    assert data["images_counted"] == 3 and data["version"] == 1
    assert data["settings"] == {
        "margin": 0.2, "scope": "dataset", "empty": "skip", "initial": False, "grid": 5
    }  # fmt: skip


def test_curves_and_accuracies_without_a_value_are_null():
    record = explored(summary(1, teacher=False))
    shown = embedded(render(record))["layers"][0]["networks"][0]
    network = record.explorer.layers[0].networks[0]
    assert shown["curves"]["relevance_ratio"][0] == [None, None, None, 0]
    last = network.curves["n_foreground"][-1]
    assert shown["curves"]["n_foreground"][-1] == [last.value, last.low, last.high, last.n]
    assert shown["accuracy"][0] is None and shown["accuracy"][1:] == list(network.accuracy[1:])


def test_the_page_says_how_many_of_the_images_it_holds():
    html = render(explored(summary(1), images=4, counted=9))
    assert "This page holds 4 of 9 images that count: means over “all images”" in html
    assert "This page holds 4 of 4 images that count; <code>kdprobe report --max-images N</code>" in render(
        explored(summary(1), images=4)
    )
    assert "in the explorer are over this one, those" in render(explored(summary(1), images=1, counted=9))
    noted = explored(summary(1))
    noted = replace(noted, explorer=replace(noted.explorer, notes=("Layer fc2 is <b>not</b> shown.",)))
    assert "Layer fc2 is &lt;b&gt;not&lt;/b&gt; shown." in render(noted)


def test_without_explorer_the_pictures_are_shown_and_there_are_no_data():
    html = render(summary(1, maps=1))
    assert "kdprobe-data" not in Elements(html).scripts
    assert "<noscript>" not in html and html.count("<img ") == 2
    with_data = render(explored(summary(1, maps=1)))
    hidden = "".join(re.findall(r"<noscript>(.*?)</noscript>", with_data, re.DOTALL))
    assert hidden.count("<img ") == with_data.count("<img ") == 2
    assert all(f'<div id="{name}"></div>' in with_data for name in ("explorer", "live-curves"))


def test_a_layer_without_networks_is_not_offered_and_where_nothing_is_left_the_pictures_are_shown():
    record = explored(summary(1, maps=1), layers=("fc1", "fc2"))
    first, second = record.explorer.layers
    bare = replace(second, networks=())
    data = embedded(render(replace(record, explorer=replace(record.explorer, layers=(first, bare)))))
    assert [layer["layer"] for layer in data["layers"]] == ["fc1"]
    for nothing in ({"layers": (bare,)}, {"layers": (bare, first)}, {"layers": ()}, {"ids": ()}):
        html = render(replace(record, explorer=replace(record.explorer, **nothing)))
        assert "kdprobe-data" not in Elements(html).scripts
        assert '<div id="explorer">' not in html and "<noscript>" not in html and html.count("<img ") == 2


ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]></noscript><b>",
    "\"'`&quot;\\u003c/script>",
    "line\u2028and\u2029paragraph\n\x00\x0b",
    "\ud83d alone",  # half of a pair, as a file name that is no text gives it
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_texts_that_are_html_or_script_stay_texts(attack, tmp_path):
    record = summary(1, teacher=False)
    record = replace(record, networks=tuple(replace(n, recipe=attack) for n in record.networks))
    made = explorer(
        tuple(replace(n, name=attack, role=attack) for n in record.networks),
        images=2,
        layers=(attack, "fc2"),
        classes=(attack, "b"),
    )
    made = replace(made, ids=(attack, attack), notes=(attack,))
    html = write_report(replace(record, explorer=made), tmp_path).read_text(encoding="utf-8")
    harmless = render(explored(summary(1, teacher=False), images=2, layers=("fc1", "fc2")))
    assert Elements(html).opened == Elements(harmless).opened
    text = Elements(html).scripts["kdprobe-data"]
    assert text.isascii() and text.isprintable() and not set("<>&") & set(text)
    data = json.loads(text)
    assert data["classes"][0] == data["images"][1]["id"] == data["layers"][0]["layer"] == attack
    assert all(data["layers"][0]["networks"][0][key] == attack for key in ("name", "role", "recipe"))


def test_the_file_of_the_explorer_loses_nothing(tmp_path):
    made = explored(
        summary(1), images=3, counted=4, layers=("fc1", "fc2"), initial="rho", scope="image"
    ).explorer
    made = replace(made, notes=("one", "two"), sizes=((24, 20),) * 3)
    (tmp_path / "explorer.npz").write_bytes(explorer_bytes(made))
    back = read_explorer(tmp_path / "explorer.npz")
    assert explorer_data(back) == explorer_data(made)
    assert (back.notes, back.sizes, back.pictures) == (made.notes, made.sizes, made.pictures)
    last = back.layers[1].networks[0].curves["n_foreground"][-1]
    assert isinstance(last, Interval) and last == made.layers[1].networks[0].curves["n_foreground"][-1]
    assert explorer_bytes(back) == explorer_bytes(made)


def test_tables_keep_the_explorer_and_drop_an_older_one(tmp_path):
    record = explored(summary(1))
    assert tmp_path / "explorer.npz" in write_tables(record, tmp_path)
    assert explorer_data(read_explorer(tmp_path / "explorer.npz")) == explorer_data(record.explorer)
    write_tables(replace(record, explorer=None), tmp_path)
    assert not (tmp_path / "explorer.npz").exists()


@pytest.mark.slow  # millions of bytes
def test_forty_eight_images_twelve_epochs_and_three_networks_make_a_page_of_three_to_ten_megabytes():
    record = summary(1)
    networks = tuple(replace(n, epochs=tuple(range(13)), path=tuple(range(13)), accuracy_by_epoch=(None,) * 13,
                             curves={m: (Interval(1.0, 0.0, 2.0, 40),) * 13 for m in n.curves})
                     for n in record.networks)  # fmt: skip
    record = replace(record, networks=networks)
    assert len(networks) == 3
    for side in (64, 192):
        size = len(render(explored(record, images=48, grid=16, side=side)).encode())
        assert 3e6 < size < 10e6, size

"""live.html as a file: what it says, that it admits nothing else, and that it stays small."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from live.logs import experiment, number, probe_line, write_log
from PIL import Image

from kdprobe.live import Picture, read_lines
from kdprobe.live.page import is_done, thinned, write_page

EVIL = "</script><img src=x onerror=hacked()>&\u2028"


def picture(network="baseline", epoch=2, seed=0, **changes) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 20, 3), dtype=np.uint8)
    return Picture(
        **{"network": network, "image_id": "a/1", "label": "cat", "epoch": epoch, "pixels": pixels} | changes
    )


class Found(HTMLParser):
    """Tags with attributes, text of the table's cells, the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.cells: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img", "br"):
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "script" in self._open:
            self.scripts[-1] += data
        elif "style" not in self._open:
            self.text += data
            if {"td", "th"} & {*self._open}:
                self.cells[-1] += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(folder, pictures=(), title="Title", lines=None, **options) -> tuple[str, Found]:
    path = folder / "live.html"
    write_page(path, read_lines(folder) if lines is None else lines, pictures, title, **options)
    text = path.read_text(encoding="utf-8")
    return text, Found(text)


def test_it_tells_who_learns_and_how_far_that_is(tmp_path):
    _, found = written(experiment(tmp_path, teacher=4, baseline=2))
    assert "baseline is being trained: epoch 2 of 6, network 2 of 4." in found.text or (
        "teacher is being trained: epoch 4 of 4, network 1 of 4." in found.text
    )
    (tmp_path / "networks" / "teacher" / "run.json").write_text("{}")
    _, found = written(tmp_path)
    assert "baseline is being trained: epoch 2 of 6, network 2 of 4." in found.text
    _, found = written(tmp_path, done=True)
    assert "The training is done." in found.text and "being trained" not in found.text


def test_the_table_has_the_last_numbers(tmp_path):
    _, found = written(experiment(tmp_path, teacher=4, baseline=2))
    cells = [" ".join(cell.split()) for cell in found.cells]
    row = cells[cells.index("teacher epoch 4 of 4, accuracy 0.500") + 1 :][:5]
    assert row == [
        "8.0 [7.0, 9.0] n = 8",
        "8.0 [7.0, 9.0] n = 8",
        "0.500 [0.450, 0.550] n = 8",
        "0.75 [0.62, 0.88] n = 8",
        "0.4",
    ]
    write_log(tmp_path / "networks" / "teacher", probe_line(0, weight_path=None))
    _, found = written(tmp_path)
    assert [" ".join(cell.split()) for cell in found.cells].count("n/a n = 0") == 1


def test_it_reloads_itself_until_the_training_is_done(tmp_path):
    running, found = written(experiment(tmp_path, teacher=1))
    assert {"http-equiv": "refresh", "content": "5"} in found.all("meta") and not is_done(
        tmp_path / "live.html"
    )
    done, found = written(tmp_path, done=True)
    assert not any(each.get("http-equiv") == "refresh" for each in found.all("meta"))
    assert is_done(tmp_path / "live.html") and 'id="reload"' in running and 'id="reload"' not in done


def test_pictures_of_the_last_epoch_come_with_words(tmp_path):
    own = picture(seed=3)
    _, found = written(experiment(tmp_path, teacher=1, baseline=2), [picture("teacher", 1), own])
    images = found.all("img")
    assert [(each["width"], each["height"]) for each in images] == [("20", "6")] * 2
    assert images[1]["alt"].startswith("Image a/1 of class cat with its foreground outlined")
    assert images[1]["alt"].endswith("baseline after epoch 2.")
    png = base64.b64decode(images[1]["src"].removeprefix("data:image/png;base64,"))
    assert (np.asarray(Image.open(BytesIO(png))) == own.pixels).all()


def test_texts_of_others_stay_texts(tmp_path):
    lines = {EVIL: [probe_line(1, layer=EVIL, warning=EVIL)]}
    text, found = written(tmp_path, [picture(EVIL, image_id=EVIL, label=EVIL)], EVIL, lines)
    assert text.count("<img") == 1 and len(found.scripts) == 2
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert json.loads(found.scripts[0])["networks"][0]["name"] == EVIL
    assert found.text.count(EVIL) >= 4


def test_a_title_that_is_no_text_is_written_all_the_same(tmp_path):
    text, _ = written(experiment(tmp_path, teacher=1), [picture()], "a \udcff b")
    assert "<h1>a ? b</h1>" in text


def test_the_policy_names_its_own_style_and_script_alone(tmp_path):
    from hashlib import sha256

    text, found = written(experiment(tmp_path, teacher=1), [picture()])
    (policy,) = (
        each["content"] for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy"
    )
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    style = re.search("<style>(.*?)</style>", text, re.DOTALL)[1]
    for kind, content in (("style-src", style), ("script-src", found.scripts[1])):
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert parts[kind] == f"'sha256-{digest}'"
    assert parts["default-src"] == "'none'" and parts["img-src"] == "data:"
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "") and "https:" not in text
    assert not any("style" in attributes for _, attributes in found.tags)


def test_its_size_has_a_bound_whatever_the_number_of_epochs(tmp_path):
    sizes = []
    for epochs in (400, 4000):
        lines = {name: [probe_line(epoch) for epoch in range(epochs)] for name in ("teacher", "baseline")}
        text, found = written(tmp_path, lines=lines)
        sizes.append(len(text))
        (drawn, _) = json.loads(found.scripts[0])["networks"]
        assert (drawn["epochs"][0], drawn["epochs"][-1], len(drawn["epochs"])) == (0, epochs - 1, 200)
        assert "not every epoch is drawn" in found.text
    assert sizes[1] < 1.1 * sizes[0] < 300_000
    text, found = written(tmp_path, lines={"teacher": lines["teacher"][:400]})
    assert "not every epoch is drawn" not in found.text


def test_curves_hold_what_the_lines_hold(tmp_path):
    lines = [probe_line(0), probe_line(1, n_background=number(None, n=0))]
    _, found = written(tmp_path, lines={"a": lines})
    (network,) = json.loads(found.scripts[0])["networks"]
    assert network["n_foreground"] == [[0.0, -1.0, 1.0, 8], [2.0, 1.0, 3.0, 8]]
    assert network["n_background"][1] == [None, None, None, 0]
    assert network["path"] == [0.0, 0.1] and network["stability_so_far"][0] == [None, None, None, 0]


def test_many_networks_show_the_pictures_of_the_last_ones(tmp_path):
    names = [f"n{k}" for k in range(12)]
    _, found = written(tmp_path, [picture(name, seed=k) for k, name in enumerate(names)])
    assert [re.search("cells of (n[0-9]+)", each["alt"])[1] for each in found.all("img")] == names[-8:]


def test_before_the_first_number_it_waits(tmp_path):
    _, found = written(tmp_path)
    assert "Waiting for the first numbers." in found.text


@pytest.mark.parametrize("count, most", [(1, 5), (5, 5), (6, 5), (1000, 16)])
def test_thinning_keeps_both_ends_and_the_order(count, most):
    kept = thinned(range(count), most)
    assert (kept[0], kept[-1]) == (0, count - 1) and len(kept) == min(count, most)
    steps = {b - a for a, b in pairwise(kept)}
    assert not steps or (min(steps) >= 1 and max(steps) - min(steps) <= 1)

"""What notebooks show of records: every number with its interval, every text escaped, nothing that runs or fetches."""

from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
import torch
from browser import Page
from browser_checks import faint, nameless
from PIL import Image
from report.summaries import NAN, concept_maps, summary

from kdprobe.analysis import CountSettings, Measurement, compare, judge, network_values
from kdprobe.metrics import METRICS
from kdprobe.plots import unit
from kdprobe.records import (
    CountInterval,
    DifferenceTests,
    EntropyResult,
    ImageMean,
    Interval,
    LearningDistance,
    NestedInterval,
    Outcome,
    PooledComparison,
    Record,
    Records,
    UnmeasuredNetwork,
)
from kdprobe.records.signs import SIGNS

ATTACK = "<img src=x onerror=alert(1)></table><script>alert(1)</script>"
CLOSED = ("img", "br")  #: tags that have no end


class Html(HTMLParser):
    """The tags, the texts cell by cell, and whether every tag is closed in its turn."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.tags, self.cells, self._open, self.html = [], [], [], html
        self.feed(html)
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in CLOSED:
            self._open.append(tag)
        if tag in ("td", "th", "caption", "p"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.cells[-1] += data


def shown(record) -> Html:
    return Html(record._repr_html_())


def entropy_result(count: int = 3) -> EntropyResult:
    entropy = torch.linspace(-4, -2, count * 16, dtype=torch.float64).reshape(count, 4, 4)
    errors = torch.full_like(entropy, 0.015)
    entropy[-1], errors[-1] = NAN, NAN
    outcome = (*[Outcome.OK] * (count - 1), Outcome.DEGENERATE_FEATURE)
    return EntropyResult(entropy, errors, outcome, {"protocol": {"name": "cheng2020"}})


def measurement(lift: float = 0.0) -> Measurement:
    generator = torch.Generator().manual_seed(0)
    entropy = -2.8 + 0.2 * torch.randn(4, 6, 4, 4, generator=generator, dtype=torch.float64)
    entropy[1:, :, :2] -= 0.3 + lift
    return Measurement(
        entropy=entropy,
        std_error=torch.full_like(entropy, 0.01),
        usable=torch.ones(6, dtype=torch.bool),
        flagged=2,
        outcomes={"ok": 22, "target entropy not reached": 2},
        epochs=(0, 1, 2, 3),
        path=torch.tensor([0.0, 0.5, 0.75, 0.9], dtype=torch.float64),
        work={"work_forward": 5},
    )


def foreground() -> torch.Tensor:
    cells = torch.zeros(6, 4, 4, dtype=torch.bool)
    cells[:, :2, :2] = True
    return cells


INTERVAL = Interval(13.62, 12.5, 15.0, 40)
NESTED = NestedInterval(0.421, 0.31, 0.53, 120, 0.4, 0.44, 3, 40)
POOLED = PooledComparison(
    "birds", "vgg", "fc1", "student-kd", "baseline", "stability", INTERVAL, INTERVAL, INTERVAL, INTERVAL,
    3, 120, 0.01, 0.02, 0.03, 0.042, 0.5, 0.1, "supported",
)  # fmt: skip
RECORDS = {
    "an interval": INTERVAL,
    "an interval over seeds": NESTED,
    "a mean": ImageMean(0.5, torch.tensor([0.5, NAN]), 1),
    "counts": CountInterval(torch.arange(14), torch.arange(14) - 1, torch.arange(14) + 1),
    "a distance": LearningDistance(0.61, 0.2, 0.04, torch.rand(5), torch.ones(5), 1),
    "tests": DifferenceTests(40, 1, 0.012, 0.02, NAN, NAN, 0.8, 0.7, 1.2),
    "a pooled comparison": POOLED,
    "entropy maps": entropy_result(),
    "a measurement": measurement(),
    "a network": summary().networks[0],
    "a comparison": summary().comparisons[0],
    "a hypothesis": summary().hypotheses[0],
    "concept maps": concept_maps(["baseline", "student"]),
    "an experiment": summary(),
    "an unmeasured network": UnmeasuredNetwork("teacher", "teacher", "kd", "vgg", 0.4, "no such layer"),
    "settings": CountSettings(),
    "comparisons": Records(summary().comparisons),
    "no records": Records(),
}


@pytest.mark.parametrize("name", RECORDS)
def test_it_is_whole_html_without_script_address_or_colour_of_its_own(name):
    html = shown(RECORDS[name])
    assert any(cell.strip() for cell in html.cells)
    for tag, attributes in html.tags:
        assert tag in ("div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "p", "img"), tag
        assert set(attributes) <= {"style", "scope", "src", "alt"}
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        style = attributes.get("style", "")
        assert "background" not in style and "url" not in style
        assert "color:" not in style.replace("color:inherit", ""), "dark notebooks have light text"
    assert "nan" not in " ".join(html.cells).lower()


@pytest.mark.parametrize("record", [summary(1), summary(0), replace(summary(1), counting="b = 0.2")])
def test_every_text_of_an_experiment_is_escaped(record):
    def hostile(value):
        if isinstance(value, str):
            return ATTACK
        if isinstance(value, dict):
            return {f"{ATTACK} {k}": hostile(item) for k, item in enumerate(value.values())}
        if isinstance(value, tuple) and not isinstance(value, Records):
            return tuple(map(hostile, value))
        if isinstance(value, Record):
            names = (n for n in value.__dataclass_fields__ if n not in ("entropy", "concepts"))
            return replace(value, **{n: hostile(getattr(value, n)) for n in names})
        return value

    attacked = hostile(record)
    for each in (attacked, *attacked.networks, *attacked.comparisons, *attacked.hypotheses, *attacked.maps):
        html = shown(each)
        assert {tag for tag, _ in html.tags}.isdisjoint({"script"})
        assert all("onerror" not in attributes for _, attributes in html.tags)
        assert any(ATTACK in cell for cell in html.cells)


def test_an_interval_is_shown_in_the_decimals_that_it_deserves():
    assert shown(INTERVAL).cells == ["Value with its 95 % interval", "value", "n", "13.6 [12.5, 15.0]", "40"]
    assert str(INTERVAL) == "13.6 [12.5, 15.0], n = 40"
    assert shown(Interval(NAN, NAN, NAN, 0)).cells[-2:] == ["n/a", "0"]


def test_the_interval_over_seeds_shows_both_kinds():
    assert shown(NESTED).cells[-5:] == ["0.42 [0.31, 0.53]", "0.421 [0.400, 0.440]", "120", "3", "40"]


def test_an_experiment_shows_metrics_differences_verdicts_and_notes():
    record = summary(2)
    cells = shown(record).cells
    for network in record.networks:
        assert network.name in cells
    assert "13.6 [12.5, 15.0] n = 40" in cells
    assert (
        "N_fg cells, ↑ higher is better" in cells
        and "D_mean initial weight norms, ↓ lower is better" in cells
    )
    for pair in {f"{c.student} − {c.baseline}" for c in record.comparisons}:
        assert cells.count(pair) == 1, "one table for each pair"
    assert sum(cell in ("✓ supported", "✗ contradicted", "? undecided") for cell in cells) == len(
        record.comparisons
    ) + len(record.hypotheses)
    assert all(note in cells for note in record.notes)


def test_a_comparison_shows_the_sign_of_a_difference():
    more, fewer = shown(summary(1).comparisons[2]).cells, shown(summary(1).comparisons[1]).cells
    assert "+0.057 [+0.023, +0.091]" in more and "−1.9 [−3.0, −0.8]" in fewer
    assert more[-1] == fewer[-1] == "✓ supported"


def test_what_compare_and_judge_give_back_shows_itself_as_one_table():
    settings = CountSettings(redraws=3, resamples=50)
    values = {
        name: network_values(name, measurement(lift), foreground(), settings)
        for name, lift in (("student", 0.1), ("baseline", 0.0))
    }
    found = compare("student", "baseline", values, settings)
    html = shown(found)
    assert [tag for tag, _ in html.tags].count("table") == 1
    assert [tag for tag, _ in html.tags].count("tr") == 1 + len(METRICS)
    assert [tag for tag, _ in shown(judge(found, settings)).tags].count("tr") == 1 + 3


def test_entropy_maps_show_their_pictures_and_what_failed():
    result = entropy_result(15)
    html = shown(result)
    pictures = [attributes for tag, attributes in html.tags if tag == "img"]
    assert len(pictures) == 12 and "and 3 more images" in html.cells[-1]
    grey = np.asarray(Image.open(BytesIO(b64decode(pictures[3]["src"].split(",")[1]))))
    cells = result.entropy[3].numpy()
    low, high = float(result.entropy[:12].min()), float(result.entropy[:12].max())
    assert np.abs(grey - 255 * (cells - low) / (high - low)).max() <= 0.5
    failed = shown(entropy_result(2))
    assert "degenerate feature" in failed.cells and failed.cells.count("n/a") == 4
    assert [tag for tag, _ in failed.tags].count("img") == 1


def test_a_map_of_which_nothing_is_known_is_no_crash():
    result = entropy_result(1)
    assert "degenerate feature" in shown(result).cells
    maps = concept_maps(["baseline"], (1,))
    html = shown(replace(maps, entropy={"baseline": maps.entropy["baseline"] * NAN}))
    assert [tag for tag, _ in html.tags].count("img") == 1


def test_concept_maps_count_what_is_on_and_beside_the_foreground():
    maps = concept_maps(["baseline"], (1, 6))
    counts = [
        f"{(c & maps.foreground_cells).sum()} + {(c & ~maps.foreground_cells).sum()}"
        for c in maps.concepts["baseline"]
    ]
    assert [cell for cell in shown(maps).cells if cell in counts] == counts


def test_a_measurement_shows_every_epoch():
    html = shown(measurement())
    assert html.cells[6:11] == [
        "0",
        "0.000",
        f"{float(measurement().entropy[0].mean()):.3f}",
        *html.cells[9:11],
    ]
    assert html.cells[-2:] == [
        "6 of 6 images usable at every epoch",
        "how the estimates ended: ok 22, target entropy not reached 2",
    ]


def test_the_signs_are_those_of_the_metrics():
    assert list(SIGNS) == list(METRICS)
    for name, metric in METRICS.items():
        greek = {"lambda": "λ", "rho": "ρ"}.get(metric.symbol, metric.symbol)
        assert (SIGNS[name].sign, SIGNS[name].unit) == (greek, unit(name))
        assert SIGNS[name].higher_is_better == metric.higher_is_better


def test_a_metric_of_ones_own_is_shown_by_its_name():
    assert "my_metric" in shown(replace(summary(1).comparisons[0], metric="my_metric")).cells


@pytest.mark.parametrize(("page", "text"), [("#ffffff", "#222222"), ("#111111", "#dddddd")])
def test_notebooks_dark_and_light_show_them_legibly_and_nothing_is_fetched(browser, tmp_path, page, text):
    shown = "".join(record._repr_html_() for record in RECORDS.values())
    path = tmp_path / "cells.html"
    look = f"<style>body{{background:{page};color:{text}}}</style><link rel=icon href=data:,>"
    path.write_text(f"<!doctype html><title>cells</title>{look}{shown}", encoding="utf-8")
    opened = Page(browser, path, width=800)
    assert faint(opened) == [] and nameless(opened) == [] and opened.silent()

"""The overview of all networks: rows from experiments and sweeps, and the page that holds them."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from errno import ENOSPC
from hashlib import sha256
from html import unescape
from itertools import pairwise

import pytest
from report.overviews import CURVES, curves, networks, page
from report.summaries import HIGHER, NAN, interval, summary
from report.sweeps import PLACES, comparisons

from kdprobe.errors import DataError, SnapshotError
from kdprobe.records import Interval
from kdprobe.report import read_curves, write_overview
from kdprobe.report.overview import MOST_PAIRS, MOST_ROWS, overview_section
from kdprobe.report.overview_data import MOST_POINTS, overview_data, shown
from kdprobe.report.overview_rows import rows_of_experiment, rows_of_sweep
from kdprobe.report.words import WORDS
from kdprobe.storage import atomic

HEAD = "data,model,layer,network,role,seed,epoch,path,metric,value,low,high,n\n"


def text_of(path) -> str:
    """What a browser without scripts shows."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", path.read_text(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def same(one, other):
    """Equal, NaN like NaN."""
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


def ends(found):
    return found.value, found.low, found.high, found.n


def test_a_row_of_a_sweep_holds_what_its_tables_say_of_that_network_and_seed():
    values, drawn = networks(), curves(networks())
    rows = rows_of_sweep(values, comparisons(), drawn)
    assert len(rows) == len(PLACES) * 3 * 4
    for value in values:
        (row,) = [
            r
            for r in rows
            if (*r.place, r.network, r.seed)
            == (value.data, value.model, value.layer, value.network, value.seed)
        ]
        assert same(ends(row.metrics[value.metric]), ends(value.value)) and same(
            [row.accuracy], [value.accuracy]
        )
        assert row.method == {"student-feature": "feature", "student-kd": "kd"}.get(
            value.network, value.network
        )
    assert sum(len(points) for row in rows for points in row.curves.values()) == len(drawn)
    first = drawn[0]
    assert rows[0].curves[first.metric][0] == (first.epoch, first.value)


def test_with_one_seed_the_gap_is_the_paired_comparison():
    tested = comparisons(1)
    rows = rows_of_sweep(networks((7,)), tested, [])
    for pair in tested:
        (row,) = [
            r for r in rows if (*r.place, r.network) == (pair.data, pair.model, pair.layer, pair.student)
        ]
        if pair.seeds == 0:
            assert pair.metric not in row.gaps
            continue
        gap = row.gaps[pair.metric]
        assert gap.difference == pair.difference and gap.verdict == pair.verdict
    assert all(not row.gaps for row in rows if row.role != "student")


def test_with_several_seeds_the_gap_is_that_of_the_seeds_own_values_without_an_interval():
    values = networks()
    told = {(*(v.data, v.model, v.layer), v.network, v.seed, v.metric): v.value.value for v in values}
    checked = 0
    for row in rows_of_sweep(values, comparisons(), []):
        for metric, gap in row.gaps.items():
            other = told[*row.place, "baseline", row.seed, metric]
            assert gap.difference.value == told[*row.place, row.network, row.seed, metric] - other
            assert same((gap.difference.low, gap.difference.high, gap.difference.n), (NAN, NAN, 0))
            assert gap.verdict == ""
            checked += 1
    assert checked == (len(PLACES) * 2 * len(HIGHER) - 1) * 3  # one metric could be compared in no seed


def test_a_network_with_several_seeds_has_no_paired_gap_even_if_one_seed_alone_was_compared(tmp_path):
    values = [v for v in networks() if v.network != "student-feature" or v.seed == 0]
    tested = comparisons(1)
    rows = rows_of_sweep(values, tested, [])
    verdicts = {(c.data, c.model, c.layer, c.student, c.metric): c.verdict for c in tested}
    for row in rows:
        for metric, gap in row.gaps.items():
            paired = row.network == "student-feature"
            assert gap.verdict == (verdicts[*row.place, row.network, metric] if paired else "")
    assert {row.network for row in rows if row.gaps} == {"student-feature", "student-kd"}
    assert "Δ without an interval" in text_of(write_overview(values, tested, [], tmp_path))


def test_of_several_baselines_the_gap_is_that_to_the_first():
    found = summary(students=2)
    first = found.comparisons[0]
    more = replace(first, baseline="another", difference=first.difference + 1)
    rows = rows_of_experiment(replace(found, comparisons=(*found.comparisons, more)))
    (row,) = [r for r in rows if r.network == first.student]
    assert row.gaps[first.metric].difference.value == first.difference
    tested = comparisons(1)
    moved = replace(tested[0].difference, value=tested[0].difference.value + 1)
    more = replace(tested[0], baseline="another", difference=moved)
    rows = rows_of_sweep(networks((0,)), [*tested, more], [])
    (row,) = [r for r in rows if (r.network, *r.place) == (more.student, more.data, more.model, more.layer)]
    assert row.gaps[more.metric].difference == tested[0].difference


def test_a_row_of_an_experiment_holds_its_networks_and_comparisons():
    found = summary(students=2)
    found = replace(found, settings={"config": {"seed": 4, "model": "tiny", "data": {"name": "cats"}}})
    rows = rows_of_experiment(found)
    assert [(r.network, r.role, r.method) for r in rows] == [
        ("teacher", "teacher", "teacher"),
        ("baseline", "baseline", "baseline"),
        ("student-feature", "student", "feature"),
        ("student-kd", "student", "kd"),
    ]
    assert {(*r.place, r.seed) for r in rows} == {("cats", "tiny", "fc1", 4)}
    for c in found.comparisons:
        (row,) = [r for r in rows if r.network == c.student]
        assert ends(row.gaps[c.metric].difference) == (c.difference, c.low, c.high, c.n)
        assert row.gaps[c.metric].verdict == c.verdict
    assert rows[1].curves["n_foreground"][3] == (3, found.networks[1].curves["n_foreground"][3])


def test_an_experiment_with_one_student_has_no_overview_and_one_without_config_has():
    assert overview_section(summary(students=1)) is None
    bare = overview_section(replace(summary(students=2), settings={}))
    assert len(bare["rows"]) == 4 and ("data", "") not in bare["same"]


def test_curves_are_read_back_exactly(tmp_path):
    path = tmp_path / "curves.csv"
    path.write_text(
        HEAD + "a,m,fc1,baseline,baseline,3,0,0.0,n_foreground,0.1,0.05,0.30000000000000004,40\n"
        "a,m,fc1,baseline,baseline,3,0,,relevance_ratio,,,,0\na,m,fc1,baseline,baseline,3,1,0.5,accuracy,0.75,,,\n"
    )
    first, second, third = read_curves(path)
    assert first.value == Interval(0.1, 0.05, 0.30000000000000004, 40)
    assert (first.epoch, first.path, first.seed) == (0, 0.0, 3)
    assert same(ends(second.value), (NAN, NAN, NAN, 0)) and same([second.path], [NAN])
    assert (third.metric, third.value.value, third.value.n) == ("accuracy", 0.75, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a,m,fc1,b,baseline,0,0,,n_concepts,1,1,1,4\n", "'n_concepts'; there are"),
        ("a,m,fc1,b,pupil,0,0,,n_foreground,1,1,1,4\n", "'pupil'; there are"),
        ("a,m,fc1,b,baseline,0,-1,,n_foreground,1,1,1,4\n", "-1 in place of a count"),
        ("a,m,fc1,b,baseline,0,0,,n_foreground,1,2,1,4\n", r"low 2\.0 above high 1\.0"),
        ("a,m,fc1,b,baseline,0,0,,accuracy,1.5,,,\n", r"1\.5 in place of a number in 0"),
        ("a,m,fc1,b,baseline,0,0,,n_foreground,1,1,1,4\n" * 2, "is there twice"),
        ("a,m,fc1,b,baseline,0,0,,n_foreground,1,1,1,4", "has no end"),
    ],
)
def test_a_damaged_line_of_curves_is_refused_by_name(tmp_path, line, said):
    path = tmp_path / "curves.csv"
    path.write_text(HEAD + line)
    with pytest.raises(DataError, match=rf"curves\.csv, line \d, .*{said}"):
        read_curves(path)


def test_the_same_records_give_the_same_bytes(tmp_path):
    assert page(tmp_path / "a").read_bytes() == page(tmp_path / "b").read_bytes()


def test_a_full_disk_leaves_the_old_page(tmp_path, monkeypatch):
    before = page(tmp_path).read_bytes()

    def full(descriptor, data):
        raise OSError(ENOSPC, "no room")

    monkeypatch.setattr(atomic, "write_all", full)
    with pytest.raises(SnapshotError, match=r"Cannot write .*index\.html: no room"):
        page(tmp_path, (0,))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize(
    ("places", "seeds", "columns", "same"),
    [
        (PLACES, (0, 1), ["data", "model", "layer", "method", "seed"], []),
        (
            PLACES[:2],
            (0,),
            ["layer", "method"],
            ["data set tiny_imagenet", "architecture vgg_small", "seed 0"],
        ),
    ],
)
def test_what_is_the_same_in_all_rows_is_said_once_and_is_no_column(tmp_path, places, seeds, columns, same):
    path = page(tmp_path, seeds, places)
    heads = re.findall(r'class="key" data-key="(\w+)"', path.read_text())
    assert heads == columns
    said = re.search(r"The same in all of them: (.*?) ?\. ", text_of(path))
    assert (said[1].split(" , ") if said else []) == same


@pytest.mark.parametrize(
    ("low", "high", "bracket"), [(1.0, 3.0, "[1.0, 3.0]"), (NAN, 3.0, ""), (1.0, NAN, ""), (NAN, NAN, "")]
)
def test_an_interval_is_written_where_both_ends_are_known(low, high, bracket):
    assert shown(Interval(2.0, low, high, 8))["interval"] == bracket


def test_the_policy_names_the_one_style_and_the_one_script(tmp_path):
    html = page(tmp_path).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    for kind, tag in (("style-src", "<style>"), ("script-src", "<script>")):
        (content,) = re.findall(re.escape(tag) + r"(.*?)</(?:style|script)>", html, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_without_a_script_the_table_the_verdicts_and_what_seeds_mean_can_be_read(tmp_path):
    one, three = text_of(page(tmp_path / "one", (0,))), text_of(page(tmp_path / "three"))
    assert "another seed may give another verdict" in one and "with one seed it leaves out" in one
    assert "the rows of the other seeds show" in three and "another seed may give" not in three
    assert "Δ without an interval" in three and "Δ without an interval" not in one
    assert "Counted so." in one and "need a script" in one
    for row in rows_of_sweep(networks((0,)), comparisons(1), []):
        assert f"{row.metrics['n_foreground'].value:.1f}" in one
    assert one.count("student-kd against baseline") == len(PLACES)


def test_data_of_the_page_is_the_rows_in_full_precision(tmp_path):
    html = page(tmp_path).read_text()
    found = json.loads(re.search(r'id="kdprobe-overview">(.*?)</script>', html, re.DOTALL)[1])
    values = networks()
    rows = rows_of_sweep(values, comparisons(), curves(values))
    for line, row in zip(found["rows"], rows, strict=True):
        assert line["metrics"]["n_background"] == list(ends(row.metrics["n_background"]))
        assert line["accuracy"] == (None if row.accuracy != row.accuracy else row.accuracy)
        assert [point[0] for point in line["curves"]["n_foreground"]] == [
            e for e, _ in row.curves["n_foreground"]
        ]


def test_what_is_left_out_of_a_large_sweep_is_said(tmp_path):
    places = tuple(("data", "model", f"layer{k}") for k in range(MOST_ROWS // 4 + 3))
    text = text_of(page(tmp_path, (0,), places))
    assert f"{4 * len(places) - MOST_ROWS} more networks are left out" in text
    assert f"{2 * len(places) - MOST_PAIRS} more comparisons are left out" in text
    assert (
        text.count("baseline , 1 seed") == MOST_PAIRS
        and f"layer{MOST_ROWS // 4} " not in text.split("What the")[0].split("Accuracy is")[1]
    )


def test_long_curves_keep_their_ends_and_the_page_says_so():
    long = summary(students=2)
    points = tuple(interval(k, 1) for k in range(101))
    networks_ = tuple(
        replace(n, epochs=tuple(range(101)), curves=dict.fromkeys(CURVES, points)) for n in long.networks
    )
    long = replace(long, networks=networks_)
    drawn = overview_data(rows_of_experiment(long))["rows"][0]["curves"]["n_foreground"]
    epochs = [point[0] for point in drawn]
    assert len(epochs) == MOST_POINTS and (epochs[0], epochs[-1]) == (0, 100)
    assert {b - a for a, b in pairwise(epochs)} <= {2, 3}
    assert all(point[1] == point[0] for point in drawn)
    assert overview_section(long)["thinned"] == MOST_POINTS
    assert overview_section(summary(students=2))["thinned"] == 0


def test_every_metric_is_explained_with_unit_range_and_direction(tmp_path):
    html = page(tmp_path).read_text()
    for name, after in {
        "n_background": "cells · range: 0 … all cells · lower is",
        "stability": "share · range: 0 … 1 · ",
    }.items():
        assert f'{WORDS[name].meaning}<span class="small">unit: {after}' in html
    assert "unit: initial weight norms · range: ≥ 0 · lower is better" in html


def test_a_sweep_without_students_is_a_page_too(tmp_path):
    alone = [value for value in networks() if value.role == "teacher"]
    text = text_of(write_overview(alone, [], [], tmp_path))
    assert "there is no verdict" in text and "0 methods" in text

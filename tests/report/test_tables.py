"""CSV, Markdown, LaTeX, JSON and terminal: the same numbers, and names that cannot break out."""

import csv
import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from report.summaries import NAN, concept_maps, summary

from kdprobe.errors import DataError
from kdprobe.metrics import METRICS
from kdprobe.records import Interval
from kdprobe.report import comparison_json, console_table, read_summary, write_tables
from kdprobe.report.tables import latex_table, markdown_table, md, tex
from kdprobe.report.words import WORDS


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def with_holes():
    """An experiment in which one network lacks a value, one metric and one accuracy."""
    record = summary(1)
    first = record.networks[0]
    metrics = {k: v for k, v in first.metrics.items() if k != "stability"}
    metrics["relevance_ratio"] = Interval(NAN, NAN, NAN, 0)
    first = replace(first, metrics=metrics, accuracy=None, noise_ceiling=NAN)
    lost = replace(record.comparisons[0], difference=NAN, low=NAN, high=NAN, n=0)
    return replace(
        record, networks=(first, *record.networks[1:]), comparisons=(lost, *record.comparisons[1:])
    )


def test_maps_of_an_earlier_report_go_with_it(tmp_path):
    record = summary(1)
    write_tables(record, tmp_path / "tables")
    (tmp_path / "comparison.json").write_text(json.dumps(comparison_json(record)))
    assert read_summary(tmp_path).maps
    write_tables(replace(record, maps=()), tmp_path / "tables")
    assert read_summary(tmp_path).maps == ()


def test_words_and_metrics_name_the_same_things():
    assert tuple(WORDS) == tuple(METRICS)


def test_csv_holds_every_number_exactly(tmp_path):
    record = with_holes()
    write_tables(record, tmp_path / "tables")
    metrics = {(r["network"], r["metric"]): r for r in rows(tmp_path / "tables" / "metrics.csv")}
    assert len(metrics) == 7 * len(record.networks)
    for network in record.networks:
        for name, found in network.metrics.items():
            row = metrics[network.name, name]
            for key in ("value", "low", "high"):
                expected = getattr(found, key)
                assert row[key] == "" if math.isnan(expected) else float(row[key]) == expected
            assert int(row["n"]) == found.n
    assert metrics["teacher", "stability"]["value"] == ""
    curves = rows(tmp_path / "tables" / "curves.csv")
    assert list(curves[0]) == ["network", "epoch", "path", "metric", "value", "low", "high", "n"]
    assert len(curves) == sum(3 * len(n.epochs) for n in record.networks)
    comparisons = rows(tmp_path / "tables" / "comparisons.csv")
    assert float(comparisons[1]["difference"]) == record.comparisons[1].difference
    assert comparisons[0]["difference"] == "" and comparisons[0]["verdict"] == "supported"


def test_the_same_record_gives_the_same_tables(tmp_path):
    one, two = (write_tables(summary(2), tmp_path / name) for name in ("a", "b"))
    assert [p.name for p in one] == [p.name for p in two]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_comparison_json_has_the_agreed_form_and_no_nan():
    record = with_holes()
    data = json.loads(json.dumps(comparison_json(record), allow_nan=False))
    assert set(data["networks"]) == {n.name for n in record.networks}
    for network in data["networks"].values():
        assert set(network) == set(METRICS)
        assert all(set(found) == {"value", "low", "high", "n"} for found in network.values())
    missing = {"value": None, "low": None, "high": None, "n": 0}
    assert data["networks"]["teacher"]["stability"] == missing
    assert data["networks"]["baseline"]["n_foreground"] == asdict(record.networks[1].metrics["n_foreground"])
    keys = {"student", "baseline", "metric", "difference", "low", "high", "n", "verdict"}
    assert len(data["comparisons"]) == 7 and all(set(c) == keys for c in data["comparisons"])
    assert data["comparisons"][0]["difference"] is None
    assert data["comparisons"][1] == asdict(record.comparisons[1])
    assert [h["verdict"] for h in data["hypotheses"]] == [h.verdict for h in record.hypotheses]


def test_what_json_does_not_know_becomes_plain():
    record = replace(
        summary(0), settings={"a": np.float32(0.5), "b": np.arange(2), 3: {"z", "y"}, "c": object}
    )
    settings = comparison_json(record)["settings"]
    assert settings["a"] == 0.5 and settings["b"] == [0, 1] and settings["3"] == ["y", "z"]
    json.dumps(settings)


def finished(record, folder):
    write_tables(record, folder / "tables")
    (folder / "comparison.json").write_text(json.dumps(comparison_json(record)), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "record",
    [
        summary(2),
        with_holes(),
        summary(0, teacher=False, maps=0),
        replace(summary(1), maps=(concept_maps(["teacher", "baseline"]),)),
    ],
)
def test_the_record_comes_back_from_the_files(record, tmp_path):
    back = read_summary(finished(record, tmp_path))
    assert comparison_json(back) == comparison_json(record)
    for one, other in zip(record.networks, back.networks, strict=True):
        assert repr(one.curves) == repr(other.curves)
        assert (one.epochs, one.path) == (other.epochs, other.path)
    assert len(back.maps) == len(record.maps)
    for one, other in zip(record.maps, back.maps, strict=True):
        assert (one.image_id, one.label, one.epochs) == (other.image_id, other.label, other.epochs)
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.foreground_cells, other.foreground_cells)
        assert list(one.entropy) == list(other.entropy)
        for name in one.entropy:
            np.testing.assert_array_equal(one.entropy[name], other.entropy[name])
            np.testing.assert_array_equal(one.concepts[name], other.concepts[name])


@pytest.mark.parametrize("name", ["comparison.json", "tables/curves.csv", "tables/concept_maps.npz"])
@pytest.mark.parametrize("content", [b"", b"not that", b"[1, 2]", b"PK\x03\x04 torn"])
def test_damaged_files_are_named(tmp_path, name, content):
    folder = finished(summary(1), tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=name.split("/")[-1]):
        read_summary(folder)


def test_a_torn_table_of_curves_is_noticed(tmp_path):
    table = finished(summary(1), tmp_path) / "tables" / "curves.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-4]) + "\n")
    with pytest.raises(DataError, match=r"curves\.csv does not hold every epoch of 'student-feature'"):
        read_summary(tmp_path)


def test_a_missing_experiment_is_named(tmp_path):
    with pytest.raises(DataError, match=r"comparison\.json does not exist"):
        read_summary(tmp_path / "nowhere")


def test_pickles_are_never_opened(tmp_path):
    folder = finished(summary(1), tmp_path)
    np.savez(folder / "tables" / "concept_maps.npz", index=np.array({"a": 1}, dtype=object))
    with pytest.raises(DataError, match=r"concept_maps\.npz"):
        read_summary(folder)


def test_latex_and_markdown_escape_every_special_sign():
    assert tex(r"a_b & 50% $x$ {y} \input{z} ~^#") == (
        r"a\_b \& 50\% \$x\$ \{y\} \textbackslash{}input\{z\} \textasciitilde{}\textasciicircum{}\#"
    )
    assert tex("[0.1, 0.2]") == "{[0.1, 0.2]}"
    assert md("a|b <i> *c* `d`\n[e](f)") == r"a\|b &lt;i&gt; \*c\* \`d\` \[e\]\(f\)"


def test_every_row_of_the_text_tables_has_the_same_columns():
    record = summary(3)
    record = replace(record, networks=tuple(replace(n, name=n.name + " a|b & c") for n in record.networks))
    table = latex_table(record).split(r"\bottomrule")[0]
    body = [line.replace(r"\&", "") for line in table.splitlines() if line.endswith(r"\\")]
    assert len(body) == 8 and {line.count("&") for line in body} == {7}
    lines = markdown_table(record).split("\n\n")[0].splitlines()
    assert len(lines) == 9 and {line.replace(r"\|", "").count("|") for line in lines} == {9}
    assert "13.6 \\[12.5, 15.0\\], n = 40" in lines[2]


@pytest.mark.parametrize("students", [0, 1, 3])
def test_the_console_table_fits_and_says_it_all(students):
    record = summary(students)
    text = console_table(record)
    assert max(map(len, text.splitlines())) <= 100
    assert text.isascii()
    assert all(n.name in text for n in record.networks)
    assert "13.6 [12.5, 15.0] n=40" in text
    for c in record.comparisons:
        assert c.verdict in text
    assert text.count("undecided:") + text.count("supported:") + text.count("contradicted:") == 3 * students


def test_names_cannot_drive_the_terminal_or_widen_the_table():
    record = summary(2)
    evil = "\x1b[31m\rred" + "x" * 300
    record = replace(
        record,
        networks=tuple(replace(n, name=evil) for n in record.networks),
        comparisons=tuple(replace(c, student=evil, baseline=evil) for c in record.comparisons),
    )
    text = console_table(record)
    assert "\x1b" not in text and "\r" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_missing_values_are_shown_as_missing():
    for text in (console_table(with_holes()), markdown_table(with_holes()), latex_table(with_holes())):
        assert "n/a" in text and "nan" not in text

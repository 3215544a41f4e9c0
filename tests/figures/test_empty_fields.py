"""The scripts in figures/ on tables with empty fields: a figure without what is missing, or one sentence."""

import csv
import re

import pytest
from figures.result_tables import SETTINGS, write_results
from figures.scripts import SCRIPTS, load

import kdprobe.report.figure_script as shared
from kdprobe.report.results import WORDS


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results"), seeds=2, settings=SETTINGS[:1], epochs=2)


@pytest.mark.parametrize(
    ("script", "table", "column", "sentence"),
    [
        ("layers", "comparisons", "n", "student_value is .* beside an empty n"),
        ("margins", "area", "n", "area is .* beside an empty n"),
        ("margins", "margins", "seeds", r"margins\.csv, line 2: seeds is empty"),
        ("entropy_histograms", "histograms", "count", r"histograms\.csv, line 2: count is empty"),
        ("entropy_histograms", "histograms", "low_edge", r"histograms\.csv, line 2: low_edge is empty"),
    ],
)
def test_an_empty_field_that_a_figure_needs_is_one_sentence(
    results, tmp_path, capsys, script, table, column, sentence
):
    emptied(results, tmp_path, table, column)
    assert load(script).main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert re.search(sentence, said) and said.count("\n") == 1


@pytest.mark.slow  # every figure once for each of its numbers
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_empty_field_is_more_than_one_sentence(results, tmp_path, capsys, monkeypatch, script):
    module = load(script)
    monkeypatch.setattr(shared, "save", lambda figure, stem: (figure.canvas.draw(), ())[1])
    for table, columns in module.TABLES.items():
        for column in columns:
            if column not in WORDS:
                emptied(results, tmp_path, table, column)
                assert module.main([str(tmp_path), "--column", "one"]) in (0, 2), column
                assert capsys.readouterr().err.count("\n") <= 1


def emptied(results, folder, table, column) -> None:
    """The tables of `results` in `folder`, every entry of `column` of one of them empty."""
    for path in results.glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    with (folder / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    place = head.index(column)
    with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *([*row[:place], "", *row[place + 1 :]] for row in rows)])

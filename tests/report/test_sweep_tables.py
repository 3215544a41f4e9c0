"""The tables of a sweep: what is bold and starred, four forms that say the same, names that cannot break out."""

import runpy
from dataclasses import replace
from errno import ENOSPC
from math import isnan
from pathlib import Path

import pytest
from report.summaries import HIGHER, NAN
from report.sweeps import PLACES, comparisons, networks, networks_csv
from report.table_readers import csv_rows, plain_tex

from kdprobe.errors import SnapshotError
from kdprobe.metrics import CLAIMS
from kdprobe.report import (
    big_table,
    comparisons_csv,
    comparisons_table,
    table_csv,
    table_latex,
    write_sweep_tables,
)
from kdprobe.report.sweep_tables import p_text
from kdprobe.storage import atomic

SIX = [metric for metric in HIGHER if metric != "learning_distance_var"]
SCRIPT = Path(__file__).parents[2] / "analyses" / "sweep_tables.py"


def test_the_paper_has_six_metrics():
    assert list(CLAIMS) == SIX


def test_bold_is_the_better_one_only_where_decided_and_a_star_where_holm_holds():
    rows, seen = comparisons(), {"bold": 0, "star": 0, "neither": 0}
    lines = iter(csv_rows(table_csv(big_table(rows))))
    for place in PLACES:
        for student in ("student-feature", "student-kd"):
            both = next(lines), next(lines)
            assert [line["network"] for line in both] == [student, "baseline"]
            assert [line["role"] for line in both] == ["student", "baseline"]
            for metric in SIX:
                (row,) = (
                    r
                    for r in rows
                    if (r.data, r.model, r.layer) == place and (r.student, r.metric) == (student, metric)
                )
                values = row.student_value.value, row.baseline_value.value
                best = max(values) if HIGHER[metric] else min(values)
                for line, interval in zip(both, (row.student_value, row.baseline_value), strict=True):
                    better = interval.value == best and not isnan(best)
                    bold, star = better and row.verdict != "undecided", better and row.p_holm < 0.05
                    assert line[f"{metric}_bold"] == str(int(bold))
                    assert line[f"{metric}_star"] == str(int(star))
                    for name in ("value", "low", "high"):
                        number = getattr(interval, name)
                        field = line[metric if name == "value" else f"{metric}_{name}"]
                        assert field == ("" if isnan(number) else repr(number))
                    assert line[f"{metric}_n"] == str(row.n) and line[f"{metric}_seeds"] == str(row.seeds)
                    seen["bold"] += bold
                    seen["star"] += star
                    seen["neither"] += not bold and not star
    assert next(lines, None) is None
    assert all(count > 5 for count in seen.values())  # the made-up sweep has something of each


def test_rows_that_belong_together_stand_together_whatever_the_order():
    rows = comparisons()
    order = [PLACES[k] for k in (0, 3, 1, 2)]
    mixed = sorted(rows[::2] + rows[1::2], key=lambda row: order.index((row.data, row.model, row.layer)))
    assert table_csv(big_table(mixed)) == table_csv(big_table(rows))
    headings = [heading for heading, _ in big_table(mixed).groups() if heading]
    assert headings == ["tiny_imagenet", "leeds_butterfly"]


def test_captions_say_what_was_corrected_and_how_many_seeds_there_are():
    rows = comparisons()
    tests = sum(row.p_holm == row.p_holm for row in rows)
    assert tests == len(rows) - 1
    for form in (big_table, comparisons_table):
        caption = form(rows[:3] + rows[4:]).caption
        assert "mean over 3 seeds" in caption and "nested in seeds" in caption
        assert (
            "Holm's correction of the nested tests (of newly trained networks) "
            f"over all {tests} comparisons of the sweep"
        ) in caption
        assert "D and ρ compare only networks that were followed for the same number of epochs" in caption
        alone = form(comparisons(1)[4:]).caption
        assert "mean over 1 seed." in alone and "leaves out the variation between seeds" in alone
        assert "of the permutation tests (of these trained networks, not of newly trained ones)" in alone
        both = form([*rows[4:], *comparisons(1, places=[("cifar", "a", "b")])[4:]]).caption
        assert "mean over 1–3 seeds" in both and "where seeds is 1, over images alone" in both
        assert "of newly trained networks; where seeds is 1, permutation tests of these alone" in both
        assert form(rows).caption == form([*rows[:3], *rows[4:]]).caption  # a hole is no comparison
    bare = big_table([replace(row, p_holm=NAN) for row in rows])
    assert "was not made here" in bare.caption
    assert "caption" in table_latex(bare) and plain_tex("was not made here") in table_latex(bare)


@pytest.mark.parametrize(
    ("p", "text"), [(NAN, "n/a"), (0.0, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (1.0, "1.000")]
)
def test_p_values_are_never_written_as_nothing(p, text):
    assert p_text(p) == text


def test_a_sweep_without_students_has_tables_without_rows(tmp_path):
    for path in write_sweep_tables([], [], tmp_path):
        assert path.stat().st_size > 0
    assert csv_rows((tmp_path / "table.csv").read_bytes()) == []


def test_a_full_disk_leaves_the_old_tables_whole(tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in write_sweep_tables(comparisons(), networks(), tmp_path)}

    def full(descriptor, data):
        raise OSError(ENOSPC, "no room")

    monkeypatch.setattr(atomic, "write_all", full)
    with pytest.raises(SnapshotError, match=r"Cannot write .*table\.tex: no room"):
        write_sweep_tables(comparisons(1), networks(), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_script_reads_the_two_files_and_writes_the_same_bytes(tmp_path, capsys):
    (tmp_path / "comparisons.csv").write_bytes(comparisons_csv(comparisons()))
    (tmp_path / "networks.csv").write_bytes(networks_csv(networks()))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    main = runpy.run_path(str(SCRIPT))["main"]
    assert main([str(tmp_path)]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == [
        *(f"{name}.{form}" for name in ("table", "hypotheses") for form in ("tex", "csv", "md", "html")),
        *(f"{name}.{form}" for name in ("comparisons", "networks") for form in ("tex", "md", "html")),
    ]
    again = write_sweep_tables(comparisons(), networks(), tmp_path / "again")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    (tmp_path / "networks.csv").unlink()
    assert main([str(tmp_path)]) == 2
    assert "networks.csv does not exist" in capsys.readouterr().err

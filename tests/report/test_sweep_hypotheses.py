"""What a sweep says of the hypotheses: verdicts, their metrics, and how many hold after correction."""

from dataclasses import replace

import pytest
from report.sweeps import PLACES, comparisons
from report.table_readers import csv_rows

from kdprobe.report import table_csv, table_markdown
from kdprobe.report.sweep_hypotheses import hypotheses_table

DECIDED_BY = {
    "H1": ("n_foreground", "n_background", "relevance_ratio"),
    "H2": ("learning_distance_mean", "learning_distance_std"),
    "H3": ("stability",),
}


def judged(rows, **verdicts):
    """The comparisons of one student at one place, with these verdicts; the rest are undecided."""
    first = rows[0]
    place = (first.data, first.model, first.layer, first.student)
    own = [row for row in rows if (row.data, row.model, row.layer, row.student) == place]
    return [replace(row, verdict=verdicts.get(row.metric, "undecided")) for row in own]


def cells(found):
    ((*_, h1, h2, h3, _seeds),) = hypotheses_table(found).rows
    return {"H1": h1, "H2": h2, "H3": h3}


@pytest.mark.parametrize("name", DECIDED_BY)
def test_supported_if_all_its_metrics_are_and_mixed_ones_stay_undecided(name):
    metrics, rows = DECIDED_BY[name], comparisons()
    all_for = cells(judged(rows, **dict.fromkeys(metrics, "supported")))
    assert {key: cell.text for key, cell in all_for.items()} == {
        key: "supported" if key == name else "undecided" for key in DECIDED_BY
    }
    assert all_for[name].interval.count("+") == len(metrics) and "?" not in all_for[name].interval
    one_against = cells(judged(rows, **{metrics[0]: "contradicted"}))[name]
    assert one_against.text == "contradicted" and one_against.interval.count("−") == 1
    if len(metrics) > 1:
        mixed = cells(judged(rows, **{metrics[0]: "contradicted", metrics[1]: "supported"}))[name]
        assert mixed.text == "undecided"


def test_a_metric_that_was_not_compared_leaves_its_hypothesis_undecided():
    rows = judged(comparisons(), n_foreground="supported", relevance_ratio="supported", stability="supported")
    found = cells([row for row in rows if row.metric != "n_background"])
    assert (found["H1"].text, found["H3"].text) == ("undecided", "supported")


def test_one_line_for_each_student_and_place_and_the_caption_counts_them():
    rows = comparisons()
    table = hypotheses_table(rows)
    lines = csv_rows(table_csv(table))
    assert [(line["data"], line["model"], line["layer"], line["student"]) for line in lines] == [
        (*place, student) for place in PLACES for student in ("student-feature", "student-kd")
    ]
    for name in DECIDED_BY:
        counts = {
            v: sum(line[name] == v for line in lines) for v in ("supported", "contradicted", "undecided")
        }
        said = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items())
        assert f"): {said} of {len(lines)} cases." in table.caption
    known = [row for row in rows if row.p_holm == row.p_holm]
    decided = [row for row in known if row.verdict != "undecided"]
    certain = [row for row in decided if row.p_holm < 0.05]
    assert 0 < len(certain) < len(decided) < len(known)
    assert (
        f"Of {len(known)} comparisons of single metrics {len(decided)} are decided, {len(certain)}"
        in table.caption
    )
    assert "student-kd" in table_markdown(table)

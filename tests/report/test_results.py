"""Tables of a results folder are read as they are, or refused in one sentence."""

from math import isnan

import pytest

from kdprobe.errors import DataError, InputError
from kdprobe.report.figure_script import file_name
from kdprobe.report.results import read_table, rows_of, seed_lines_of, settings_of

TABLE = """data,model,layer,network,role,seed,epoch,value,low,high,n
d,m,fc1,a,baseline,0,1,2.5,2.0,3.0,9
d,m,fc1,a,baseline,0,0,,,,0
d,m,fc2,a,baseline,0,0,1.0,0.5,1.5,9
e,m,fc1,b,student,10,0,1.0,0.5,1.5,9
"""
COLUMNS = TABLE.splitlines()[0].split(",")
KEYS = ("data", "model", "layer")


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "curves.csv"
    target.write_text(TABLE, encoding="utf-8")
    return target


def test_words_stay_words_numbers_become_numbers_and_empty_is_nan(path):
    rows = read_table(path, COLUMNS)
    assert rows[0] == {"data": "d", "model": "m", "layer": "fc1", "network": "a", "role": "baseline", "seed": "0",
                       "epoch": 1.0, "value": 2.5, "low": 2.0, "high": 3.0, "n": 9.0}  # fmt: skip
    assert isnan(rows[1]["value"])
    assert rows[3]["seed"] == "10"
    assert [*read_table(path, ("seed",))[0]] == ["seed"]


def test_settings_come_in_the_order_of_the_rows_and_can_be_chosen(path):
    rows = read_table(path, COLUMNS)
    assert settings_of(rows, KEYS, {}) == [("d", "m", "fc1"), ("d", "m", "fc2"), ("e", "m", "fc1")]
    assert settings_of(rows, KEYS, {"layer": "fc1", "data": None}) == [("d", "m", "fc1"), ("e", "m", "fc1")]
    with pytest.raises(InputError, match="there is no layer 'fc2' to draw; there are: fc1"):
        settings_of(rows, KEYS, {"data": "e", "layer": "fc2"})
    assert rows_of(rows, KEYS, ("d", "m", "fc2")) == [rows[2]]
    assert rows_of(rows, (*KEYS, "student"), ("d", "m", "fc2", "s")) == [rows[2]]  # the rows know no student


def test_lines_stand_in_the_order_of_the_epochs(path):
    lines = seed_lines_of(rows_of(read_table(path, COLUMNS), KEYS, ("d", "m", "fc1")), "epoch", "value")
    assert len(lines) == 1 and lines[0][:3] == ("a", "baseline", "0")
    assert lines[0].epochs == lines[0].x == [0, 1] and lines[0].y[1] == 2.5
    assert lines[0].low[1] == 2.0 and lines[0].high[1] == 3.0 and lines[0].n == [0, 9]
    rows = read_table(path, COLUMNS)
    with pytest.raises(DataError, match="'a', seed 0, has an epoch twice"):
        seed_lines_of(rows, "epoch", "value")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("value,low", "worth,low", "has no column 'value', only data"),
        ("2.5,2.0", "high,2.0", "line 2: value is 'high', not a number"),
        (",2.5,2.0,3.0,9", ",2.5", "line 2, has too few fields"),
        (TABLE, TABLE.splitlines()[0] + "\n", "holds no rows"),
        (TABLE, TABLE[:-1], "line 5, has no end"),
        ("1.5,9\n", "1.5,9,9\n", "line 4, has too many fields"),
        ("2.5,2.0", "inf,2.0", "line 2: value is 'inf', not a number"),
        ("0,0,,,,0", "0,,,,,0", "line 3: epoch is empty"),
        (TABLE, "", "has no column 'data', only none"),
    ],
)
def test_what_does_not_fit_is_named(path, old, new, sentence):
    path.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=sentence) as caught:
        read_table(path, COLUMNS)
    assert str(path) in str(caught.value)


def test_a_missing_or_unreadable_table_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "curves.csv", COLUMNS)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "bytes.csv", COLUMNS)


def test_a_setting_becomes_part_of_a_files_name():
    assert file_name(("tiny_imagenet", "a/b c", "layer1.0")) == "tiny_imagenet--a_b_c--layer1.0"
    assert file_name(("a", "b-c")) != file_name(("a-b", "c"))

"""comparisons.csv and networks.csv: what was written comes back, what was damaged is named."""

import csv
from dataclasses import replace
from math import inf

import pytest
from report.summaries import NAN
from report.sweeps import comparisons, networks, networks_csv

from kdprobe.analysis.knowledge import COLUMNS
from kdprobe.errors import DataError, InputError
from kdprobe.records import Interval
from kdprobe.report import comparisons_csv, read_comparisons, read_networks
from kdprobe.report.sweep_files import NETWORK_COLUMNS

FILES = {
    "comparisons.csv": (comparisons_csv, read_comparisons, comparisons),
    "networks.csv": (networks_csv, read_networks, networks),
}


def written(folder, name, rows=None):
    write, read, make = FILES[name]
    path = folder / name
    path.write_bytes(write(make() if rows is None else rows))
    return path, read


def awkward():
    """Numbers whose last bits matter, missing and infinite ones, names that CSV must quote."""
    first, second, *others = comparisons()
    value = Interval(0.1 + 0.2, -0.0, 5e-324, first.n)
    return [
        replace(first, difference=value, images=replace(value, low=-1e-17), effect=-inf, p_holm=NAN),
        replace(second, data='a,"b"\r\nc', model="é|", student_value=Interval(1 / 3, NAN, NAN, second.n)),
        *others,
    ]


def test_the_columns_are_the_agreed_ones():
    head = comparisons_csv([]).decode()
    assert head == (
        "data,model,layer,student,baseline,metric,seeds,n,student_value,student_low,student_high,baseline_value,"
        "baseline_low,baseline_high,difference,low,high,images_low,images_high,p_permutation,p_wilcoxon,p_nested,p_holm,"
        "effect,detectable,verdict\n"
    )
    assert ",".join(NETWORK_COLUMNS) == "data,model,layer,network,role,seed,accuracy,metric,value,low,high,n"
    assert COLUMNS["networks"] == NETWORK_COLUMNS


@pytest.mark.parametrize("rows", [[], comparisons(), comparisons(1), awkward()])
def test_comparisons_come_back_to_the_last_bit(tmp_path, rows):
    path, read = written(tmp_path, "comparisons.csv", rows)
    assert repr(read(path)) == repr(rows)  # repr: NaN equals itself, -0.0 does not equal 0.0


def test_networks_come_back_to_the_last_bit(tmp_path):
    first, *others = networks()
    rows = [replace(first, accuracy=NAN, value=Interval(NAN, NAN, NAN, 0)), *others]
    path, read = written(tmp_path, "networks.csv", rows)
    assert repr(read(path)) == repr(rows)


def test_every_number_stands_in_its_column(tmp_path):
    rows = comparisons()
    path, _ = written(tmp_path, "comparisons.csv", rows)
    with path.open(newline="", encoding="utf-8") as file:
        for row, line in zip(rows, csv.DictReader(file), strict=True):
            for column, number in (
                ("student_low", row.student_value.low),
                ("baseline_value", row.baseline_value.value),
                ("baseline_high", row.baseline_value.high),
                ("low", row.difference.low),
                ("images_high", row.images.high),
                ("detectable", row.detectable),
                ("p_wilcoxon", row.p_wilcoxon),
            ):
                assert line[column] == ("" if number != number else repr(number))
            assert (line["seeds"], line["n"]) == (str(row.seeds), str(row.n))


def test_what_one_line_cannot_hold_is_refused():
    row = comparisons()[0]
    with pytest.raises(InputError, match=r"tiny_imagenet .* n = \[7, .* give all the same images"):
        comparisons_csv([replace(row, student_value=replace(row.student_value, n=7))])
    with pytest.raises(InputError, match="must be of one difference"):
        comparisons_csv([replace(row, images=replace(row.images, value=row.images.value + 1e-9))])


DAMAGE = {
    "no column": lambda lines: [lines[0].replace("metric", "metrics"), *lines[1:]],
    "a column more": lambda lines: [lines[0] + ",more", *(line + ",1" for line in lines[1:])],
    "no head": lambda lines: lines[1:],
    "a field less": lambda lines: [*lines[:2], lines[2].split(",", 1)[1], *lines[3:]],
    "a field more": lambda lines: [*lines[:2], lines[2] + ",1", *lines[3:]],
    "an empty line within": lambda lines: [*lines[:2], ",", *lines[2:]],
    "a line twice": lambda lines: [*lines, lines[1]],
    "no such metric": lambda lines: [*lines[:-1], lines[-1].replace("stability", "stable")],
    "no number": lambda lines: [*lines[:-1], lines[-1].replace(".", "x", 1)],
    "nan in words": lambda lines: [
        *lines[:-1],
        ",".join(["nan" if "." in f else f for f in lines[-1].split(",")]),
    ],
    "not text": lambda lines: [*lines[:-1], lines[-1] + "\udcff"],
    "an open quote": lambda lines: [*lines[:-1], '"' + lines[-1]],
    "nothing": lambda lines: [],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named(tmp_path, name, damage):
    path, read = written(tmp_path, name)
    lines = DAMAGE[damage](path.read_text(encoding="utf-8").splitlines())
    path.write_bytes("".join(line + "\n" for line in lines).encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=str(path)):
        read(path)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("verdict", "likely"),
        ("n", "-1"),
        ("n", "4.0"),
        ("seeds", ""),
        ("student_low", "1e9"),
        ("images_high", "-1e9"),
        ("p_holm", "small"),
        ("p_wilcoxon", "1.01"),
        ("p_permutation", "-0.01"),
    ],
)
def test_a_comparison_that_cannot_be_is_named_with_its_line(tmp_path, column, text):
    path, read = written(tmp_path, "comparisons.csv")
    with path.open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    lines[1][head.index(column)] = text
    path.write_text("".join(",".join(line) + "\n" for line in (head, *lines)))
    with pytest.raises(DataError, match=rf"{path}, line 3, does not hold"):
        read(path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_gives_whole_lines_or_an_error(tmp_path, name):
    path, read = written(tmp_path, name)
    whole, content = read(path), path.read_bytes()
    start = content.rstrip().rindex(b"\n") + 1
    for end in range(start, len(content)):
        path.write_bytes(content[:end])
        if end == start:
            assert repr(read(path)) == repr(whole[:-1])
        else:
            with pytest.raises(DataError, match=str(path)):
                read(path)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_so_is_a_folder(tmp_path, name):
    read = FILES[name][1]
    with pytest.raises(DataError, match=rf"{name} does not exist"):
        read(tmp_path / name)
    with pytest.raises(DataError, match=str(tmp_path)):
        read(tmp_path)

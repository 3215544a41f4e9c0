"""The table of what is in a run."""

from pathlib import Path

import pytest

from kdprobe.report.contents import contents_table, size_text
from kdprobe.storage.run_contents import (
    ConnectorsContents,
    MapsContents,
    NetworkContents,
    RunContents,
    SnapshotContents,
)


def run(name="baseline", problem=None):
    snapshots = (
        SnapshotContents("a.h5", 0, 0, 0, False, "raw", 705_200, None),
        SnapshotContents("b.h5", 3, 1173, 1, True, "averaged", 705_200, None),
        SnapshotContents("c.h5", None, None, None, False, None, 12, problem),
    )
    maps = (MapsContents("0123456789abcdef", "a.very.long.path.to.a.layer", 2, 8, 1000, ()),)
    connectors = (
        ConnectorsContents(0, (0, 1, 3), 5_900, ()),
        ConnectorsContents(1, (3,), 2_000, ()),
        ConnectorsContents(2, (), 12, () if problem is None else (problem,)),
    )
    found = (name, "student", True, snapshots, ((1, 2), (5, 5)), maps, None, ())
    network = NetworkContents(*found, connectors)
    problems = () if problem is None else (problem,)
    return RunContents(
        Path("runs/first"), "experiment", (network,), (".x.tmp",), ("a note",), problems, 1_410_412
    )


def test_every_fact_is_there():
    text = contents_table(run(problem="c.h5 is damaged: one bit is wrong; restore it."))
    for fact in ("baseline (student, finished)", "1173", "705.2 kB", "inside the next epoch, averaged", "DAMAGED",
                 "no snapshot of epoch 1-2, 5", "0123456789abcdef", "c.h5 is damaged: one bit is wrong", ".x.tmp",
                 "a note", "runs/first: 1 damaged, 1.4 MB"):  # fmt: skip
        assert fact in text, fact
    rows = [line.split() for line in text.splitlines() if line.startswith("  stage ")]
    assert rows == [
        ["stage", "0", "0-3", "3", "5.9", "kB", "verified"],
        ["stage", "1", "3", "1", "2.0", "kB", "verified"],
        ["stage", "2", "none", "0", "12", "B", "1", "DAMAGED"],
    ]
    assert "all sound" in contents_table(run()) and "damaged" not in contents_table(run())


@pytest.mark.parametrize("name", ["n" * 300, "rm\x1b[2J\n", "a b " * 60])
def test_it_fits_on_80_columns_and_drives_no_terminal(name):
    text = contents_table(run(name, problem=f"{name} is damaged: {'x' * 200}"))
    assert max(map(len, text.splitlines())) <= 80
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_940, "999.9 kB"),
        (999_960, "1.0 MB"),
        (3_091_650_911, "3.1 GB"),
    ],
)
def test_sizes_in_words(size, text):
    assert size_text(size) == text

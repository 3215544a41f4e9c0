"""What is read of logs that are being written."""

import json
import os
import subprocess
import sys

import pytest
from live.logs import experiment, number, probe_line, trainer_line, write_log

from kdprobe.errors import DataError
from kdprobe.live import read_lines
from kdprobe.live.read import read_logs


def test_lines_of_all_networks_by_epoch(tmp_path):
    found = read_lines(experiment(tmp_path, student_kd=1, baseline=2, teacher=1))
    assert {name: [line["epoch"] for line in lines] for name, lines in found.items()} == {
        "teacher": [0, 1],
        "baseline": [0, 1, 2],
        "student-kd": [0, 1],
    }
    assert [*found] == ["teacher", "baseline", "student-kd"]
    assert found["baseline"][2] == probe_line(2)


def test_a_folder_with_a_log_of_its_own_goes_by_its_name(tmp_path, monkeypatch):
    write_log(tmp_path / "mine", probe_line(0))
    assert [*read_lines(tmp_path / "mine")] == ["mine"]
    monkeypatch.chdir(tmp_path / "mine")
    assert [*read_lines(".")] == ["mine"]


def test_of_an_epoch_the_last_line_counts(tmp_path):
    late, early = probe_line(1, n_foreground=number(7.0)), probe_line(1)
    write_log(tmp_path, probe_line(2), early, probe_line(0), late)
    (lines,) = read_lines(tmp_path).values()
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert lines[1]["n_foreground"]["value"] == 7.0


@pytest.mark.parametrize(
    "foreign",
    [
        '{"epoch": 1, "pro',
        "[" * 100_000,
        "\x00\x00",
        "[1]",
        '{"probe": 1}',
        '{"probe": 1, "epoch": true}',
        json.dumps(probe_line(-1)),
        '{"probe": 1, "epoch": 1, "n_foreground": 3}',
    ],
)
def test_torn_and_foreign_lines_are_skipped(tmp_path, foreign):
    write_log(tmp_path, probe_line(0), foreign, probe_line(2))
    (lines,) = read_lines(tmp_path).values()
    assert [line["epoch"] for line in lines] == [0, 2]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", '"12"', "true", "[1]", str(10**400)])
def test_what_is_no_finite_number_is_none(tmp_path, value):
    text = json.dumps(probe_line(1)).replace('"weight_path": 0.1', f'"weight_path": {value}')
    assert value in text
    write_log(tmp_path, text)
    (lines,) = read_lines(tmp_path).values()
    assert lines[0]["weight_path"] is None


def test_trainer_and_end_of_a_network(tmp_path):
    folder = experiment(tmp_path, teacher=1) / "networks" / "teacher"
    write_log(folder, trainer_line(0), probe_line(0), trainer_line(1, accuracy=0.875))
    log = read_logs(tmp_path)["teacher"]
    assert (log.epoch, log.accuracy, log.finished, len(log.lines)) == (1, 0.875, False, 1)
    (folder / "run.json").write_text("{}")
    assert read_logs(tmp_path)["teacher"].finished


def test_nothing_there_is_nothing(tmp_path):
    assert read_lines(tmp_path) == read_lines(tmp_path / "missing") == {}


def test_a_log_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(DataError, match=r"Cannot read .*metrics\.jsonl"):
        read_lines(tmp_path)


def test_reading_and_watching_import_neither_torch_nor_numpy():
    code = (
        "import sys, kdprobe.live.read, kdprobe.live.watch, kdprobe.cli.watch_command, kdprobe.cli.parser; "
        "kdprobe.cli.parser.make_parser(); "
        "print(*[name for name in ('torch', 'numpy', 'matplotlib', 'lightning', 'h5py') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert (found.returncode, found.stdout.strip()) == (0, "")

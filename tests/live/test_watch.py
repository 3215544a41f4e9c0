"""`kdprobe watch`: what it shows, in a pipe and in a terminal, and how it ends."""

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from live.logs import experiment, number, probe_line, trainer_line, write_log

from kdprobe.errors import ConfigError
from kdprobe.live.frame import Look, frame
from kdprobe.live.watch import watch


def shown(folder, width=250, height=None, braille=True) -> str:
    return "\n".join(frame(Look.at(folder), width=width, height=height, braille=braille))


def finish(folder, *names) -> None:
    for name in names:
        (folder / "networks" / name / "run.json").write_text("{}")


def test_it_tells_how_far_each_network_is(tmp_path):
    experiment(tmp_path, teacher=4, baseline=2)
    finish(tmp_path, "teacher")
    text = shown(tmp_path)
    assert text.startswith(f"training baseline, 1 of 4 networks done: {tmp_path}\n")
    assert "teacher  epoch 4 of 4, trained, accuracy 0.500, fc1, 8 images\n" in text
    assert "baseline  epoch 2 of 6, accuracy 0.500, fc1, 8 images\n" in text
    assert "student-kd  waiting\nstudent-feature  waiting" in text


def test_numbers_come_with_interval_and_n(tmp_path):
    experiment(tmp_path, baseline=3)
    text = shown(tmp_path)
    for part in (
        "N_fg 6.0 [5.0, 7.0] n 8",
        "N_bg 8.0 [7.0, 9.0] n 8",
        "λ 0.429 [0.379, 0.479] n 8",
        "ρ so far 0.75 [0.62, 0.88] n 8",
    ):
        assert part in text
    write_log(tmp_path / "networks" / "baseline", probe_line(0, n_foreground=number(None, n=0)))
    assert "N_fg n/a n 0" in shown(tmp_path)


def test_states_in_words(tmp_path):
    assert shown(tmp_path).startswith("nothing trained yet, waiting: ")
    experiment(tmp_path, teacher=4)
    finish(tmp_path, "teacher")
    assert shown(tmp_path).startswith("waiting for the next network, 1 of 4 networks done: ")
    experiment(tmp_path, teacher=4, baseline=6, student_kd=6, student_feature=9)
    finish(tmp_path, "baseline", "student-kd", "student-feature")
    assert shown(tmp_path).startswith("all networks trained; they are measured and compared now: ")
    (tmp_path / "comparison.json").write_text("{}")
    assert shown(tmp_path).startswith("done, see report/index.html: ")
    (tmp_path / "networks" / "baseline" / "run.json").unlink()
    assert shown(tmp_path).startswith("training baseline, 3 of 4 networks done: ")


def test_without_a_live_probe_the_trainers_lines_do(tmp_path):
    write_log(tmp_path, trainer_line(0), trainer_line(1, accuracy=0.75))
    assert f"{tmp_path.name}  epoch 1, accuracy 0.750, not probed" in shown(tmp_path)


@pytest.mark.parametrize("width", [20, 40, 79, 139, 250])
@pytest.mark.parametrize("braille", [True, False])
def test_lines_fit_the_width(tmp_path, width, braille):
    experiment(tmp_path, teacher=4, baseline=2, student_kd=1)
    assert max(map(len, shown(tmp_path, width=width, braille=braille).splitlines())) <= width


def test_side_by_side_where_there_is_room(tmp_path):
    experiment(tmp_path, baseline=2)
    heights = [len(shown(tmp_path, width=width).splitlines()) for width in (139, 79, 40)]
    assert heights[0] < heights[1] < heights[2]


@pytest.mark.parametrize("height", [3, 8, 16, 24, 60])
def test_a_low_terminal_shows_the_running_network_first(tmp_path, height):
    experiment(tmp_path, teacher=4, student_kd=1)
    finish(tmp_path, "teacher")
    for name, when in (("student-kd", 1000), ("teacher", 2000)):
        os.utime(tmp_path / "networks" / name / "metrics.jsonl", (when, when))
    lines = shown(tmp_path, width=79, height=height).splitlines()
    assert len(lines) <= height
    if height == 16:  # room for the curves of one, and the numbers of the other
        first = {line.split()[0]: k for k, line in reversed([*enumerate(lines)])}
        assert first["baseline"] - first["teacher"] == 3
        assert first["student-feature"] - first["student-kd"] > 8


def test_a_warning_is_shown(tmp_path):
    write_log(tmp_path, probe_line(3, warning="it turns to the background"))
    assert "\n! it turns to the background" in shown(tmp_path)


def test_ascii_is_enough(tmp_path):
    experiment(tmp_path, baseline=3)
    text = shown(tmp_path, braille=False)
    assert text.isascii() and "lambda 0.429" in text and "rho so far" in text and "**" in text


def test_names_cannot_move_the_cursor(tmp_path):
    lines = [probe_line(0, layer="\x1b[2J\n\rfc", warning="\x1b]0;x\x07\u202e")]
    write_log(tmp_path / "networks" / "a\x1b[31mb", *lines)
    text = shown(tmp_path, width=200)
    assert all(each.isprintable() for each in text.splitlines()) and "a?[31mb" in text


def test_a_pipe_gets_text_alone_and_only_what_is_new(tmp_path, monkeypatch):
    folder, out = tmp_path / "run", io.StringIO()
    moments = iter(
        [
            lambda: experiment(folder, teacher=1),
            lambda: None,
            lambda: experiment(folder, teacher=4, baseline=6, student_kd=6, student_feature=9),
            lambda: (
                finish(folder, "teacher", "baseline", "student-kd", "student-feature"),
                (folder / "comparison.json").write_text("{}"),
            ),
        ]
    )
    monkeypatch.setattr(time, "sleep", lambda _: next(moments)())
    monkeypatch.setenv("COLUMNS", "200")
    watch(folder, out=out)
    text = out.getvalue()
    firsts = [line.split(":")[0] for line in text.splitlines() if line.endswith(str(folder))]
    assert firsts == [
        "nothing trained yet, waiting",
        "training teacher, 0 of 4 networks done",
        firsts[2],
        "done, see report/index.html",
    ]
    assert firsts[2].startswith("training ") and "\x1b" not in text


def test_once_shows_what_is_there(tmp_path):
    out = io.StringIO()
    watch(experiment(tmp_path, teacher=1), once=True, out=out)
    assert out.getvalue().startswith("training teacher, 0 of 4 networks done")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"every": 0}, "--every must be a number of seconds"),
        ({"every": float("nan")}, "--every must be a number of seconds"),
        ({"once": True, "folder": "missing"}, "No folder .*missing"),
        ({"folder": "file"}, "is not the folder of an experiment"),
        ({"folder": "other"}, "is not the folder of an experiment"),
        ({"folder": "sweep"}, "is the folder of a sweep; give that of one of its experiments"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_sentence(tmp_path, given, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("x")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.yaml").write_text("{}")
    folder = tmp_path / given.pop("folder", "")
    with pytest.raises(ConfigError, match=message):
        watch(folder, out=io.StringIO(), **given)


class Terminal:
    """`kdprobe watch` in a pseudo-terminal of a given size."""

    def __init__(self, folder, *, columns: int, rows: int, **environment: str) -> None:
        self.keys, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        command = [sys.executable, "-m", "kdprobe", "watch", str(folder), "--every", "0.1"]
        unset = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # a shell's background job ignores it
            env={**unset, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment},
        )
        os.close(theirs)
        self.text = ""

    def until(self, part: str) -> None:
        ends = time.monotonic() + 60
        while part not in self.text:
            assert time.monotonic() < ends, self.text
            self._read()

    def rest(self) -> int:
        """Reads to the end; the exit code."""
        ends = time.monotonic() + 60
        while self._read():
            assert time.monotonic() < ends, self.text
        os.close(self.keys)
        return self.process.wait(30)

    def _read(self) -> bool:
        if not select.select([self.keys], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.keys, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


def test_a_terminal_is_drawn_over_and_ctrl_c_leaves_quietly(tmp_path):
    terminal = Terminal(experiment(tmp_path, teacher=2, baseline=1, student_kd=1), columns=80, rows=24)
    terminal.until("\x1b[J")
    terminal.until("λ 0.2")
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.rest() == 0
    assert terminal.text.startswith("\x1b[2J\x1b[H\x1b[1mtraining ")
    assert "Traceback" not in terminal.text and "interrupted" not in terminal.text
    frames = re.split(r"\x1b\[2?J", terminal.text)
    assert all(each.count("\n") < 24 for each in frames)
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.text)
    assert max(map(len, plain.splitlines())) <= 80 and re.search("[\u2801-\u28ff]", plain)


def test_in_a_terminal_it_ends_when_all_is_done(tmp_path):
    experiment(tmp_path, teacher=4, baseline=6, student_kd=6, student_feature=9)
    terminal = Terminal(tmp_path, columns=60, rows=30, NO_COLOR="1", PYTHONIOENCODING="ascii")
    terminal.until("training ")
    finish(tmp_path, "teacher", "baseline", "student-kd", "student-feature")
    (tmp_path / "comparison.json").write_text(json.dumps({}))
    assert terminal.rest() == 0
    assert "done, see report/index.html" in terminal.text
    assert "\x1b[1m" not in terminal.text and terminal.text.isascii() and "**" in terminal.text


@pytest.mark.parametrize("columns, rows", [(1, 1), (1, 30), (3, 2), (80, 1)])
def test_a_window_too_small_for_anything_is_no_reason_to_stop(tmp_path, monkeypatch, columns, rows):
    class Window(io.StringIO):
        def isatty(self) -> bool:
            return True

    folder, out = experiment(tmp_path, teacher=2, baseline=1), Window()
    moments = iter([None, KeyboardInterrupt])

    def sleep(_) -> None:
        if (moment := next(moments)) is not None:
            raise moment

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(rows))
    watch(folder, out=out)
    watch(folder, once=True, out=out)
    assert out.getvalue().count("training"[: max(columns - 1, 8)]) >= 3

"""A running experiment in the terminal, refreshed. Imports no torch."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

from kdprobe.errors import ConfigError
from kdprobe.live.frame import Look, frame
from kdprobe.live.read import LOG
from kdprobe.paths import expanded

_COLUMNS = 100  #: where the output is no terminal, and COLUMNS is not set
_LEAST = 8  #: columns; a terminal that has fewer breaks the lines itself


def watch(folder: str | Path, *, every: float = 2.0, once: bool = False, out: TextIO | None = None) -> None:
    """Shows numbers and curves of the experiment in `folder`, or of one's own training there, every so many seconds.

    Waits if there is nothing yet; ends when all is trained and comparison.json is there, on Ctrl-C, or at once with
    `once`. `out` (default: standard output): a terminal is drawn over again; elsewhere what changed is appended,
    without control characters. Raises ConfigError if `folder` is something else, or with `once` not there; DataError
    if a log cannot be read.
    """
    out, folder = sys.stdout if out is None else out, expanded(folder)
    if not 0.1 <= every <= 3600:
        raise ConfigError(f"--every must be a number of seconds from 0.1 to 3600, got {every!r}.")
    _check(folder, once)
    screen = _Screen(out, over=out.isatty() and not once)
    try:
        while True:
            look = Look.at(folder)
            screen.show(look)
            if once or look.done:
                return
            time.sleep(every)
    except KeyboardInterrupt:  # the way out
        return


def _check(folder: Path, once: bool) -> None:
    if not folder.exists():
        if once:
            raise ConfigError(
                f"No folder {folder}; give the --out of kdprobe run, or leave out --once to wait for it."
            )
        return
    files = any((folder / name).is_file() for name in ("config.yaml", LOG, ".kdprobe.lock"))
    folders = any((folder / name).is_dir() for name in ("networks", "snapshots"))
    if not folder.is_dir() or not (files or folders or not any(folder.iterdir())):
        if (folder / "sweep.yaml").is_file():
            raise ConfigError(
                f"{folder} is the folder of a sweep; give that of one of its experiments, DATA/MODEL/seed-N in it."
            )
        raise ConfigError(
            f"{folder} is not the folder of an experiment or of a training with a live probe; give the --out of "
            "kdprobe run."
        )


class _Screen:
    """Draws one frame after the other."""

    def __init__(self, out: TextIO, *, over: bool) -> None:
        self._out = out
        self._over = over
        self._braille = _can_write(out)
        self._bold = over and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._before: list[str] = []

    def show(self, look: Look) -> None:
        size = shutil.get_terminal_size((_COLUMNS, 24))
        width, height = max(size.columns - 1, _LEAST), max(size.lines - 2, 1)
        if self._over:
            lines = frame(look, width=width, height=height, braille=self._braille)
            begin = "\x1b[H" if self._before else "\x1b[2J\x1b[H"
            first = f"\x1b[1m{lines[0]}\x1b[0m" if self._bold else lines[0]
            drawn = [first, *lines[1:], f"{look.age()}  Ctrl-C to leave".strip()[:width]]
            self._out.write(begin + "".join(f"{line}\x1b[K\n" for line in drawn) + "\x1b[J")
        else:
            lines = frame(look, width=width, braille=self._braille)
            if lines != self._before:
                self._out.write("\n".join([*lines, "", ""]))
        self._before = lines
        self._out.flush()


def _can_write(out: TextIO) -> bool:
    """Whether the encoding of `out` has all signs that curves are drawn with."""
    try:
        "⣿│λρ".encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

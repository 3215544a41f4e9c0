"""A running experiment as lines of text. Imports no torch."""

import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from kdprobe.live.plan import planned_epochs
from kdprobe.live.read import NetworkLog, read_logs
from kdprobe.live.text_chart import text_chart
from kdprobe.live.words import WORDS, shown

_CHART = 3  #: lines of a curve
_LABEL = 5  #: columns of the numbers beside it
_PANEL = 34  #: columns at least of a curve with its numbers, if several stand side by side


@dataclass(frozen=True)
class Look:
    """An experiment's folder (or that of one's own training) at one moment."""

    folder: Path
    logs: dict[str, NetworkLog]
    planned: dict[str, int | None]  #: epochs by network, in the order of training; empty: not known

    @classmethod
    def at(cls, folder: str | Path) -> "Look":
        return cls(Path(folder), read_logs(folder), planned_epochs(folder))

    @property
    def names(self) -> list[str]:
        """Of all networks, begun or planned."""
        return [*self.planned, *(name for name in self.logs if name not in self.planned)]

    @property
    def left(self) -> list[str]:
        """Of those that are not finished."""
        return [name for name in self.names if name not in self.logs or not self.logs[name].finished]

    @property
    def done(self) -> bool:
        """Whether all is trained, measured and compared."""
        return not self.left and (self.folder / "comparison.json").exists()

    @property
    def running(self) -> str | None:
        """The unfinished network that was written down last; None if there is none."""
        begun = [name for name in self.left if name in self.logs]
        return max(begun, key=lambda name: self.logs[name].written, default=None)

    def state(self) -> str:
        """What is going on, in a few words."""
        if self.done:
            return "done, see report/index.html"
        if not self.logs:
            return "nothing trained yet, waiting"
        if self.planned and not self.left:
            return "all networks trained; they are measured and compared now"
        ready = len(self.names) - len(self.left)
        count = f", {ready} of {len(self.names)} networks done" if self.planned else ""
        return (f"training {self.running}" if self.running else "waiting for the next network") + count

    def age(self) -> str:
        """How long ago something was last written down."""
        if not self.logs or self.done:
            return ""
        seconds = max(time.time() - max(log.written for log in self.logs.values()), 0)
        return f"last line {seconds:.0f} s ago" if seconds < 90 else f"last line {seconds / 60:.0f} min ago"


def frame(look: Look, *, width: int, height: int | None = None, braille: bool = True) -> list[str]:
    """What to show of `look`: lines of at most `width` characters. If there is room for no more than `height` lines,
    the running network has its curves first; then all have their numbers; then others their curves, the one written
    down last before the rest. `braille`: else nothing but ASCII.
    """
    blocks = {name: _block(name, look, width, braille) for name in look.names}
    order = sorted(blocks, key=lambda name: (name != look.running, -_written(look, name)))
    chosen = {name: forms[0] for name, forms in blocks.items()}
    room = None if height is None else height - 1 - sum(map(len, chosen.values()))
    for name, form in [
        *((name, 2) for name in order[:1]),
        *((name, form) for form in (1, 2) for name in order),
    ]:
        need = len(blocks[name][form]) - len(chosen[name])
        if need > 0 and (room is None or need <= room):
            chosen[name] = blocks[name][form]
            room = None if room is None else room - need
    lines = [f"{look.state()}: {look.folder}", *(line for each in chosen.values() for line in each)]
    return [_plain(line, braille)[:width] for line in lines[:height]]


def _written(look: Look, name: str) -> float:
    return look.logs[name].written if name in look.logs else 0.0


def _block(name: str, look: Look, width: int, braille: bool) -> tuple[list[str], list[str], list[str]]:
    """A network's name and how far it is; the same with its numbers; the same with their curves."""
    log, planned = look.logs.get(name), look.planned.get(name)
    if log is None:
        return (waiting := [f"{name}  waiting"], waiting, waiting)
    said = [f"epoch {log.epoch or 0}" + ("" if planned is None else f" of {planned}")]
    said += ["trained"] if log.finished else []
    said += [] if log.accuracy is None else [f"accuracy {log.accuracy:.3f}"]
    last = log.lines[-1] if log.lines else {}
    said += [f"{last.get('layer')}", f"{last.get('images')} images"] if last else ["not probed"]
    heading = wrap(f"{name}  {', '.join(said)}", width, subsequent_indent="  ")
    if not last:
        return heading, heading, heading
    warned = wrap(f"! {last['warning']}", width, subsequent_indent="  ") if last.get("warning") else []
    numbers = _beside([[f"  {_number(metric, last, braille)}"] for metric in WORDS], width)
    side = max(each for each in (1, 2, 4) if each == 1 or width >= each * _PANEL)
    panels = [_panel(metric, log.lines, look, width // side - 1, braille) for metric in WORDS]
    return heading, [*heading, *numbers, *warned], [*heading, *_beside(panels, width), *warned]


def _beside(parts: list[list[str]], width: int) -> list[str]:
    """Blocks of text of one height, as many side by side as have room."""
    side = max(each for each in (1, 2, 4) if each == 1 or width >= each * _PANEL)
    rows = (parts[first : first + side] for first in range(0, len(parts), side))
    return [
        " ".join(part.ljust(width // side - 1) for part in line).rstrip()
        for row in rows
        for line in zip(*row, strict=True)
    ]


def _number(metric: str, line: dict[str, Any], braille: bool) -> str:
    words = WORDS[metric]
    sign = (words.sign if braille else words.plain) + " so far" * (metric == "stability_so_far")
    value, interval = shown(line[metric], minus="−" if braille else "-")
    return " ".join(part for part in (sign, value, interval, f"n {line[metric]['n']}") if part)


def _panel(metric: str, lines: list[dict[str, Any]], look: Look, width: int, braille: bool) -> list[str]:
    """One number with its interval, and its curve on the scale that all networks share."""
    top = _top(metric, look)
    curve = text_chart(
        [(line["epoch"], line[metric]["value"]) for line in lines],
        width=max(width - _LABEL - 1, 1),
        height=_CHART,
        x_range=(0, _last_epoch(look)),
        y_range=(0, top),
        braille=braille,
    )
    ends = [f"{top:.{0 if top >= 10 else 1}f}", *[""] * (_CHART - 2), "0"]
    bar = "│" if braille else "|"
    drawn = [f"{end:>{_LABEL}}{bar}{row}" for end, row in zip(ends, curve, strict=True)]
    return [part[:width] for part in (_number(metric, lines[-1], braille), *drawn)]


def _top(metric: str, look: Look) -> float:
    """The upper end of the scale: 1 of shares, the highest count so far of counts."""
    if WORDS[metric].unit == "share":
        return 1.0
    found = (line[metric]["value"] for log in look.logs.values() for line in log.lines)
    return max((value for value in found if value is not None), default=0.0) or 1.0


def _last_epoch(look: Look) -> int:
    begun = (log.epoch or 0 for log in look.logs.values())
    return max((*begun, *(epochs or 0 for epochs in look.planned.values())), default=0) or 1


def _plain(text: str, braille: bool) -> str:
    """`text` without what would move the cursor or change colours; only ASCII if not `braille`."""
    safe = "".join(each if each.isprintable() else "?" for each in text)
    return safe if braille else safe.encode("ascii", "replace").decode()

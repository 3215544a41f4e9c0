"""What is in a run, on one screen of a terminal."""

from collections.abc import Sequence
from textwrap import wrap

from kdprobe.storage import RunContents
from kdprobe.storage.inspect import NetworkContents, SnapshotContents

WIDTH = 80  #: columns at most


def contents_table(run: RunContents) -> str:
    """Snapshots and entropy maps of each network, and what is damaged, in words; at most 80 columns wide.

    Control characters become "?".
    """
    lines = []
    for network in run.networks:
        lines += [*_network(network), ""]
    if run.leftovers:
        lines += _paragraph("temporary files of writers that were killed (may be removed): ", run.leftovers)
    for note in run.notes:
        lines += _paragraph("note: ", [note])
    for problem in run.problems:
        lines += _paragraph("damaged: ", [problem])
    verdict = "all sound" if run.sound else f"{len(run.problems)} damaged"
    lines += _paragraph("", [f"{run.path}: {verdict}, {size_text(run.size)}"])
    return "\n".join(lines) + "\n"


def size_text(size: int) -> str:
    """Bytes in words: 980 B, 1.2 kB, 530.1 MB."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"


def _network(network: NetworkContents) -> list[str]:
    words = [
        each for each in (network.role if network.role != network.name else None, _state(network)) if each
    ]
    lines = _paragraph("", [f"{network.name} ({', '.join(words)})" if words else network.name])
    if network.snapshots:
        rows = [["epoch", "step", "stage", "size", "snapshot"]]
        lines += _aligned(rows + [_row(each) for each in network.snapshots])
    else:
        lines.append("  no snapshots")
    if network.gaps:
        gaps = [str(a) if a == b else f"{a}-{b}" for a, b in network.gaps]
        lines += _paragraph("  no snapshot of epoch ", [", ".join(gaps)])
    if network.connectors:
        rows = [["connectors", "epochs", "snapshots", "size", ""]]
        for part in network.connectors:
            ends = {part.epochs[0], part.epochs[-1]} if part.epochs else set()
            epochs = "-".join(map(str, sorted(ends))) or "none"
            counts = [epochs, str(len(part.epochs)), size_text(part.size), _verdict(part.problems)]
            rows.append([f"stage {part.stage}", *counts])
        lines += _aligned(rows)
    if network.maps:
        rows = [["entropy maps", "layer", "snapshots", "images", "size", ""]]
        for maps in network.maps:
            counts = [str(maps.snapshots), str(maps.images), size_text(maps.size), _verdict(maps.problems)]
            rows.append([_short(maps.analysis, 16), _short(maps.layer or "?", 20), *counts])
        lines += _aligned(rows)
    return lines


def _verdict(problems: Sequence[str]) -> str:
    return f"{len(problems)} DAMAGED" if problems else "verified"


def _state(network: NetworkContents) -> str | None:
    if network.finished is None:
        return None
    if network.finished:
        return "finished"
    if network.resume is None:
        return "no run.json"
    return f"not finished; goes on from epoch {network.resume[0]}, step {network.resume[1]}"


def _row(snapshot: SnapshotContents) -> list[str]:
    numbers = ["?" if each is None else str(each) for each in (snapshot.epoch, snapshot.step, snapshot.stage)]
    words = ["DAMAGED" if snapshot.problem is not None else "verified"]
    words += ["inside the next epoch"] if snapshot.partial else []
    words += ["averaged"] if snapshot.weights == "averaged" else []
    return [*numbers, size_text(snapshot.size), ", ".join(words)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _paragraph(start: str, texts: Sequence[str]) -> list[str]:
    text = start + ", ".join(_clean(each) for each in texts)
    return wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def _short(text: str, width: int) -> str:
    clean = _clean(text)
    return clean if len(clean) <= width else clean[: width - 3] + "..."


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

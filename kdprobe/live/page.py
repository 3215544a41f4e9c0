"""live.html: what the live probe has seen so far, in one file that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kdprobe.live.frame import Look
from kdprobe.live.pictures import Picture, png_bytes
from kdprobe.live.words import WORDS, shown
from kdprobe.pages import CHART, data_uri, json_markup, render_page
from kdprobe.storage import write_atomically

RELOAD = 5  #: seconds after which the page looks for a newer one
_POINTS = 400  #: of a curve, over all networks together: the size of the page has a bound
_FEW = 16  #: that each network has in any case
_GALLERY = 8  #: networks whose pictures are shown, the last ones
_LIVE = b'<noscript><meta http-equiv="refresh"'  #: in every page that reloads itself
_SHARED, _OWN = "kdprobe.pages", "kdprobe.live"
_STYLE = ((_SHARED, "page.css"), (_SHARED, "chart.css"), (_OWN, "live.css"))
_SCRIPT = (*CHART, (_OWN, "live.js"))


def write_page(
    path: str | Path,
    lines: Mapping[str, Sequence[Mapping[str, Any]]],
    pictures: Sequence[Picture],
    title: str,
    *,
    done: bool = False,
) -> None:
    """Replaces the page at `path`, atomically: latest numbers, warnings, curves and pictures of each network.

    lines: what `read_lines` gives. pictures: those of one network stand together. How far the training is comes from
    the folder that the page lies in, if it is an experiment's. Without `done` the page reloads itself. Of long
    trainings evenly spaced epochs are drawn, so that the page has about the same size after any number of epochs. A
    Content-Security-Policy admits its own style, script and pictures alone; every text is escaped.

    Raises SnapshotError if the system refuses.
    """
    path = Path(path)
    write_atomically(
        path, render(lines, pictures, title, Look.at(path.parent), done=done).encode(errors="replace")
    )


def is_done(path: str | Path) -> bool:
    """Whether the page at `path` is one that was written when the training was done."""
    return _LIVE not in Path(path).read_bytes()


def render(
    lines: Mapping[str, Sequence[Mapping[str, Any]]],
    pictures: Sequence[Picture],
    title: str,
    look: Look,
    *,
    done: bool = False,
) -> str:
    """The page as text."""
    seen = {name: found for name, found in lines.items() if found}
    last = [found[-1] for found in seen.values()]
    kept = {name: thinned(found, max(_FEW, _POINTS // len(seen))) for name, found in seen.items()}
    return render_page(
        _OWN,
        "live.html",
        style=_STYLE,
        script=_SCRIPT,
        title=title,
        done=done,
        reload=RELOAD,
        state=_state(seen, look, done),
        written=datetime.now().astimezone().replace(microsecond=0),
        report="report/index.html" if (look.folder / "report" / "index.html").exists() else None,
        columns=[*WORDS.values()],
        rows=[_row(name, found[-1], look) for name, found in seen.items()],
        images=" or ".join(str(count) for count in sorted({int(line["images"]) for line in last})) or "no",
        layer=", ".join(sorted({str(line["layer"]) for line in last})),
        warned=[
            {"name": name, "warning": found[-1]["warning"]}
            for name, found in seen.items()
            if found[-1].get("warning")
        ],
        thinned=any(len(kept[name]) < len(found) for name, found in seen.items()),
        shown=_shown(pictures),
        data=_data(kept),
    )


def _state(lines: Mapping[str, Sequence[Mapping[str, Any]]], look: Look, done: bool) -> str:
    """Who learns, and how far that is."""
    if done:
        return "The training is done."
    name = look.running if look.planned else next(reversed(lines), None)
    if name is None or not lines.get(name):
        return "Waiting for the first numbers."
    planned = look.planned.get(name)
    of = "" if planned is None else f" of {planned}"
    place = f", network {look.names.index(name) + 1} of {len(look.names)}" if look.planned else ""
    return f"{name} is being trained: epoch {lines[name][-1]['epoch']}{of}{place}."


def _row(name: str, line: Mapping[str, Any], look: Look) -> dict[str, Any]:
    planned, log = look.planned.get(name), look.logs.get(name)
    place = f"epoch {line['epoch']}" + ("" if planned is None else f" of {planned}")
    accuracy = "" if log is None or log.accuracy is None else f", accuracy {log.accuracy:.3f}"
    cells = [
        dict(zip(("value", "interval"), shown(line[metric]), strict=True)) | {"n": line[metric]["n"]}
        for metric in WORDS
    ]
    path = "n/a" if line["weight_path"] is None else f"{line['weight_path']:.3g}"
    return {"name": name, "place": place + accuracy, "cells": cells, "path": path}


def thinned(lines: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of `lines`, evenly spaced, the first and the last among them."""
    if len(lines) <= most:
        return [*lines]
    return [lines[round(k * (len(lines) - 1) / (most - 1))] for k in range(most)]


def _data(lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Markup:
    """What the curves are drawn from."""
    metrics = [
        {
            "name": name,
            "title": f"{words.title} {words.sign}",
            "label": words.unit,
            "range": [0, 1] if words.unit == "share" else None,
        }
        for name, words in WORDS.items()
    ]
    networks = [
        {
            "name": name,
            "epochs": [line["epoch"] for line in found],
            "path": [_short(line["weight_path"]) for line in found],
            **{metric: [_point(line[metric]) for line in found] for metric in WORDS},
        }
        for name, found in lines.items()
    ]
    return json_markup({"metrics": metrics, "networks": networks})


def _point(found: Mapping[str, Any]) -> list[float | int | None]:
    return [*(_short(found[part]) for part in ("value", "low", "high")), found["n"]]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _shown(pictures: Sequence[Picture]) -> dict[str, list[dict[str, Any]]]:
    """The pictures by network."""
    groups = {name: [*of_one] for name, of_one in groupby(pictures, key=lambda picture: picture.network)}
    return {name: [_picture(each) for each in groups[name]] for name in [*groups][-_GALLERY:]}


def _picture(picture: Picture) -> dict[str, Any]:
    height, width = picture.pixels.shape[:2]
    kind = f" of class {picture.label}" if picture.label else ""
    return {
        "src": _uri(picture),
        "width": width,
        "height": height,
        "epoch": picture.epoch,
        "caption": ", ".join(part for part in (picture.label, picture.image_id) if part),
        "alt": f"Image {picture.image_id}{kind} with its foreground outlined, then the entropy map and the concept "
        f"cells of {picture.network} after epoch {picture.epoch}.",
    }


@lru_cache(maxsize=4 * _GALLERY)  # a picture stays on the page while other networks learn
def _uri(picture: Picture) -> str:
    return data_uri("image/png", png_bytes(picture))

"""Pages that hold nothing but what is tested: a chart, or the explorer and its curves."""

from decimal import ROUND_HALF_UP, Context
from pathlib import Path

import numpy as np
from browser import Page
from markupsafe import Markup
from report.tied_maps import SHOWN, entropy, foreground

from kdprobe.pages import CHART, environment, inline
from kdprobe.records import Explorer
from kdprobe.report.explorer import explorer_json
from kdprobe.report.page import SCRIPT

SHARED, OWN = "kdprobe.pages", "kdprobe.report"
EXPLORER = [(room, name) for room, name in SCRIPT if name.startswith("explorer")]
BARE = '{% extends "page.html" %}{% block body %}<main>{{ body }}</main>{% endblock %}'


def write_page(path: Path, files: list[tuple[str, str]], styles: list[tuple[str, str]], body: str) -> Path:
    """A page with the policy of kdprobe's own."""
    (style, style_digest), (script, script_digest) = inline(*styles), inline(*files)
    page = environment(SHARED).from_string(BARE)
    html = page.render(
        title=path.name, body=Markup(body),
        style=style, style_digest=style_digest, script=script, script_digest=script_digest,
    )  # fmt: skip
    path.write_text(html, encoding="utf-8")
    return path


def chart_page(path: Path) -> Path:
    """A page with chart.js and a place for charts, #chart."""
    styles = [(SHARED, "page.css"), (SHARED, "chart.css")]
    return write_page(path, [*CHART], styles, '<div id="chart"></div>')


def explorer_page(path: Path, explorer: Explorer) -> Path:
    """A page with the concept explorer of `explorer` and its curves."""
    styles = [(SHARED, "page.css"), (SHARED, "chart.css"), (OWN, "explorer.css")]
    return write_page(
        path,
        [*CHART, *EXPLORER],
        styles,
        '<div id="live-curves"></div><div id="explorer"></div>'
        f'<script type="application/json" id="kdprobe-data">{explorer_json(explorer)}</script>',
    )


def begun(page: Page, *, width: int = 1280) -> Page:
    """`page`, an explorer's, as it is when it opens."""
    page.again(width=width)
    page.run("""
      const {explorer: {state, change}} = kdprobe, of = (id) => document.getElementById(`explorer-${id}`);
      if (of("play").ariaLabel === "Pause") of("play").click();
      for (const id of ["layer", "class"]) if (of(id)) of(id).selectedIndex = 0;
      of("outline").checked = true;
      change({place: 0, label: null});
      change({n: 0, step: state.epochs.length - 1, b: state.data.settings.margin, cell: null, outline: true});
    """)
    page.rest()  # now the curves know the layer
    page.run("""
      const networks = document.querySelectorAll("#live-curves .switches > :last-child [aria-pressed=false]");
      for (const button of networks) button.click();
      document.querySelector("[data-choice=epochs]").click();
    """)
    page.rest()
    return page


def put(page: Page, field: str, value: object) -> None:
    """Gives a field or slider of the page a value, as its reader would."""
    page.run(
        "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
        "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true}))",
        field,
        str(value),
    )


def counted(network, layer: str, epoch: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """(N,) N_fg and N_bg of the images shown, by NumPy."""
    maps, inside = entropy(network.name, layer, len(network.epochs)), foreground()
    bar = np.mean([m[~cells].mean() for m, cells in zip(maps[epoch], inside, strict=True)])
    concepts = bar - maps[epoch] > margin
    return (concepts & inside).sum((1, 2))[:SHOWN], (concepts & ~inside).sum((1, 2))[:SHOWN]


def shown_number(value: float) -> str:
    """A number as the pages show it: four digits, a half of the last one away from zero."""
    return f"{Context(prec=4, rounding=ROUND_HALF_UP).create_decimal(float(value)).normalize():f}"

"""Pages that hold nothing but what is tested: a chart, or the explorer and its curves."""

from decimal import ROUND_HALF_UP, Context
from html import escape
from pathlib import Path

import numpy as np
from browser import Page
from report.tied_maps import SHOWN, entropy, foreground

from kdprobe import report
from kdprobe.pages import CHART, inline
from kdprobe.records import Explorer
from kdprobe.report.explorer import explorer_data, json_markup

SHARED, OWN = "kdprobe.pages", "kdprobe.report"
EXPLORER = sorted(file.name for file in (Path(report.__file__).parent / "templates").glob("explorer*.js"))


def write_page(path: Path, files: list[tuple[str, str]], styles: list[tuple[str, str]], body: str) -> Path:
    """A page with the policy of kdprobe's own."""
    (style, style_digest), (script, script_digest) = inline(*styles), inline(*files)
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_digest}'; "
        f"script-src 'sha256-{script_digest}'; base-uri 'none'; form-action 'none'"
    )
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(path.name)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><link rel="icon" href="data:,">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
        f"<body><main>{body}</main><script>{script}</script></body></html>",
        encoding="utf-8",
    )
    return path


def chart_page(path: Path) -> Path:
    """A page with chart.js and a place for charts, #chart."""
    styles = [(SHARED, "page.css"), (SHARED, "chart.css")]
    return write_page(path, [*CHART], styles, '<div id="chart"></div>')


def explorer_page(path: Path, explorer: Explorer) -> Path:
    """A page with the concept explorer of `explorer` and its curves."""
    data = json_markup(explorer_data(explorer))
    files = [*CHART, *((OWN, name) for name in EXPLORER)]
    styles = [(SHARED, "page.css"), (SHARED, "chart.css"), (OWN, "explorer.css")]
    return write_page(
        path,
        files,
        styles,
        '<div id="live-curves"></div><div id="explorer"></div>'
        f'<script type="application/json" id="kdprobe-data">{data}</script>',
    )


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

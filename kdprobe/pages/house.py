"""Templates that escape every text; style and script as a Content-Security-Policy names them."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_ROOM = "kdprobe.pages"
#: The scripts of a line chart, for `inline`.
CHART = ((_ROOM, "chart_drawing.js"), (_ROOM, "chart.js"))


@cache
def environment(room: str) -> Environment:
    """The templates of `room`, a package of kdprobe, and the shared ones behind them: every text is escaped, every
    unknown name an error. Made once for each room, so that a template is compiled once.

    Shared are page.html, which every page extends (see `render_page` for what it needs, besides a `title`), and the
    macros of marks.html.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(room), PackageLoader(_ROOM)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def inline(*names: tuple[str, str]) -> tuple[Markup, str]:
    """Files of kdprobe's own, each (room, name), one after the other, and their digest for a policy's style-src or
    script-src: `sha256-` and what is returned."""
    text = "".join(
        files(room).joinpath("templates", name).read_text(encoding="utf-8") for room, name in names
    )
    return Markup(text), b64encode(sha256(text.encode()).digest()).decode()  # our own files: not escaped


def render_page(
    room: str,
    name: str,
    *,
    style: Iterable[tuple[str, str]],
    script: Iterable[tuple[str, str]] = (),
    **texts: Any,
) -> str:
    """The page `name` of `room`, an heir of page.html, that needs nothing beside it. texts: what the template shows.

    The files of `style` and `script`, each (room, name), stand in the page; its policy admits them, pictures inside the
    page, and nothing else.
    """
    parts = {}
    for kind, names in (("style", tuple(style)), ("script", tuple(script))):
        if names:
            parts[kind], parts[f"{kind}_digest"] = inline(*names)
    return environment(room).get_template(name).render(**parts, **texts)

"""Templates that escape every text; style and script as a Content-Security-Policy names them."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

#: The scripts of a line chart, for `inline`.
CHART = (("kdprobe.pages", "chart_drawing.js"), ("kdprobe.pages", "chart.js"))


def environment(room: str) -> Environment:
    """The templates of `room`, a package of kdprobe: every text is escaped, every unknown name an error."""
    return Environment(
        loader=PackageLoader(room),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline(*names: tuple[str, str]) -> tuple[Markup, str]:
    """Files of kdprobe's own, each (room, name), one after the other, and their digest for a policy's style-src or
    script-src: `sha256-` and what is returned."""
    text = "".join(
        files(room).joinpath("templates", name).read_text(encoding="utf-8") for room, name in names
    )
    return Markup(text), b64encode(sha256(text.encode()).digest()).decode()  # our own files: not escaped

"""What all pages share: templates that escape every text, style sheets as a Content-Security-Policy names them."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def environment() -> Environment:
    """The templates of this room: every text is escaped, every unknown name an error."""
    return Environment(
        loader=PackageLoader("kdprobe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style_sheet(*names: str) -> tuple[Markup, str]:
    """The style sheets one after the other, and their digest for the policy's style-src."""
    folder = files("kdprobe.report").joinpath("templates")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    return Markup(style), b64encode(sha256(style.encode()).digest()).decode()  # our own files: not escaped

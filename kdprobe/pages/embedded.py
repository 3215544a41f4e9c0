"""Files and data inside a page: as addresses, and as JSON that HTML cannot take for markup."""

import json
from base64 import b64encode
from typing import Any

from markupsafe import Markup


def data_uri(kind: str, content: bytes) -> str:
    """`content` as the address of a file of `kind`, such as image/png, that needs nothing beside it."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def json_markup(data: Any) -> Markup:
    """`data` as JSON for a script element: ASCII alone, and no <, > or & that HTML could take for markup.

    Raises ValueError for NaN and infinity, which JSON does not know.
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # escaped above, as JSON

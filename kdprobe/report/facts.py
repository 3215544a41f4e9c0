"""Nested settings as rows of a table."""

from collections.abc import Iterator
from typing import Any


def facts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) of everything in nested dicts; short lists stay on one line."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from facts(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for k, item in enumerate(value):
            yield from facts(item, f"{key}[{k}]")
    else:
        yield key, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return "none"
    return str(value)

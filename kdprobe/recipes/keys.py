"""Checks of single keys and values, each refused in one sentence that says where it stands."""

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from kdprobe.errors import ConfigError

#: names that become parts of folder names
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_keys(
    where: str, content: Any, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    """Raise ConfigError unless `content` is a mapping with all of `required` and nothing beside `optional`."""
    known = required + optional
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: expected the keys {', '.join(known)}, got {content!r}.")
    for key in content:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}: {nearest(str(key), known)}")
    for key in required:
        if key not in content:
            raise ConfigError(f"{where}: the key {key!r} is missing.")


def nearest(name: str, known: Iterable[str]) -> str:
    """ "did you mean ...?", or all that is known."""
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def choice(where: str, key: str, value: Any, known: Iterable[str]) -> str:
    """`value` if it is one of `known`."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{where}: {key} must be one of {', '.join(known)}, got {value!r}.")
    return value


def truth(where: str, key: str, value: Any) -> bool:
    """`value` if it is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {key} must be true or false, got {value!r}.")
    return value


def positive(what: str, value: Any) -> float:
    """`value` as a number above 0."""
    number = _number(value)
    if not (number > 0 and math.isfinite(number)):
        raise ConfigError(f"{what} must be a number above 0, got {value!r}.")
    return number


def epoch(what: str, value: Any) -> int | float:
    """An epoch: a whole number from 0 on, or a share (float) from 0 to 1 of all of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    number = _number(value)
    if not 0 <= number <= 1:
        raise ConfigError(
            f"{what} must be a whole number of epochs or a share from 0.0 to 1.0 of them, got {value!r}."
        )
    return number


def whole(what: str, value: Any, least: int) -> int:
    """`value` if it is a whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{what} must be a whole number from {least} on, got {value!r}.")
    return value


def plain_name(where: str, value: Any) -> str:
    """`value` as a name that can be part of a folder's."""
    name = str(value)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: a name is made of letters, digits, _ and -, got {value!r}.")
    return name


def pairs(what: str, value: Any) -> dict[str, Any]:
    """`value` as a mapping of names; empty if it is None."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{what} must be key: value pairs, got {value!r}.")
    return dict(value)


def filled_list(where: str, key: str, value: Any, of: str) -> list:
    """`value` if it is a list with something in it."""
    if not isinstance(value, list) or not value:
        raise ConfigError(f"{where}: {key} must be a list with at least one {of}, got {value!r}.")
    return value


def _number(value: Any) -> float:
    """NaN if it is none; YAML reads 1e-3 as a word, so words are tried."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan

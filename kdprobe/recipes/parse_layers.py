"""The keys of a stage that name layers."""

from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.recipes.keys import check_keys, filled_list, nearest
from kdprobe.recipes.layers import LAYER, MANY, ONE, Features


def parse_tap(where: str, content: Any) -> str | None:
    """The one layer that the key `tap` names. Raises ConfigError for a role that is unknown, or of several layers."""
    if content is None:
        return None
    tap = _layer(where, "tap", content)
    if tap in MANY:
        raise ConfigError(
            f"{where}: tap is one layer, and {tap} are several; name one, or list {tap} under features."
        )
    return tap


def parse_features(where: str, content: Any) -> Features | None:
    """The layers that the key `features` lists: those of both networks, or of student and teacher apart.

    Raises ConfigError if it names no layers, an unknown role, or for student and teacher numbers of layers that differ.
    """
    if content is None:
        return None
    if not isinstance(content, dict):
        both = _layers(where, "features", content)
        return Features(both, both)
    check_keys(f"{where}, features", content, required=("student", "teacher"))
    student, teacher = (
        _layers(where, f"features of the {who}", content[who]) for who in ("student", "teacher")
    )
    if len(student) != len(teacher) and not {*student, *teacher} & {*MANY}:
        raise ConfigError(
            f"{where}: features names {len(student)} layers of the student and {len(teacher)} of the teacher; each is "
            "compared with the one in its place, so list as many of both."
        )
    return Features(student, teacher)


def _layers(where: str, key: str, content: Any) -> tuple[str, ...]:
    listed = filled_list(where, key, content, "layer")
    return tuple(_layer(where, key, each) for each in listed)


def _layer(where: str, key: str, content: Any) -> str:
    if isinstance(content, dict) and len(content) == 1 and list(content.values()) == [None]:
        raise ConfigError(
            f"{where}: {key} got {content!r}: YAML reads braces as pairs; write '{{{next(iter(content))}}}' in quotes."
        )
    if isinstance(content, bool) or not isinstance(content, str | int) or content == "":
        raise ConfigError(f"{where}: {key} must name layers, got {content!r}.")
    content = str(content)  # of a Sequential, YAML reads the name of a layer as a number
    known = (LAYER, *ONE, *MANY)
    if content.startswith("{") and content not in known:
        raise ConfigError(f"{where}: {key} names no known role, {content!r}: {nearest(content, known)}")
    return content

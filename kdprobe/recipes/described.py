"""Records as plain values: what decides a training, and nothing that stands at its default since it came later."""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any


def described(value: Any) -> Any:
    """`value` as plain dictionaries, lists, strings and numbers, fields in their order.

    Of a record the fields that its class names in ALWAYS are written, and those that do not stand at their default, so
    that a field added later leaves the descriptions of old records as they were. Fields that are not compared explain
    and decide nothing: they are left out.
    """
    if is_dataclass(value):
        return {f.name: described(getattr(value, f.name)) for f in fields(value) if _shown(value, f)}
    if isinstance(value, dict):
        return {key: described(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [described(each) for each in value]
    return value


def is_default(record: Any, name: str) -> bool:
    """Whether the field `name` of `record` stands at its default; 1 and 1.0 (an epoch and a share) are two things."""
    return _at_default(record, next(f for f in fields(record) if f.name == name))


def _shown(record: Any, of: Field) -> bool:
    always = getattr(record, "ALWAYS", ())
    return of.compare and (of.name in always or not _at_default(record, of))


def _at_default(record: Any, of: Field) -> bool:
    default = of.default if of.default_factory is MISSING else of.default_factory()
    value = getattr(record, of.name)
    return type(value) is type(default) and value == default

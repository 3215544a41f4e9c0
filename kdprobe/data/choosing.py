"""Which classes, images and split: choices that depend on names and a seed only, not on a listing's order."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kdprobe.errors import ConfigError

SPLITS = ("train", "test")


def nearest(name: str, known: Sequence[str]) -> str:
    """A short "did you mean" for messages, or "" if nothing is near."""
    near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def check_split(split: str) -> str:
    """`split` if it is "train" or "test"."""
    if split not in SPLITS:
        raise ConfigError(f"split must be 'train' or 'test', got {split!r}.")
    return split


def check_seed(seed: Any) -> int:
    """`seed` if it is a whole number from 0."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number from 0, got {seed!r}.")
    return seed


def check_count(value: Any, name: str) -> int:
    """`value` if it is a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} must be a whole number above 0, got {value!r}.")
    return value


def choose_classes(
    keys: Sequence[str], classes: int | Sequence[str] | None, names: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """The chosen `keys`: all (None), the first n in sorted order (int), or those listed, in the list's order.

    `names` gives further names by which a key may be listed. ConfigError if a class is unknown or there are
    too few.
    """
    ordered = sorted(keys)
    if classes is None:
        return ordered
    if isinstance(classes, int):
        if check_count(classes, "classes") > len(ordered):
            raise ConfigError(f"classes asks for {classes} classes, but there are {len(ordered)}.")
        return ordered[:classes]
    if isinstance(classes, str):
        raise ConfigError(f"classes must be a number or a list of names, got the text {classes!r}.")
    by_name = {n: key for key in ordered for n in (*(names or {}).get(key, ()), key)}
    chosen = []
    for name in classes:
        if str(name) not in by_name:
            raise ConfigError(f"No class {name!r}; there are {_some(ordered)}.{nearest(name, list(by_name))}")
        chosen.append(by_name[str(name)])
    if not chosen or len(set(chosen)) != len(chosen):
        raise ConfigError(f"classes must list at least one class and each only once, got {list(classes)!r}.")
    return chosen


def hash_order(ids: Sequence[str], seed: int) -> list[str]:
    """`ids` in an order that looks random and depends on nothing but each id and `seed`."""
    return sorted(ids, key=lambda i: (hashlib.sha256(f"{seed}/{i}".encode()).digest(), i))


def hash_split(ids: Sequence[str], split: str, seed: int = 0) -> list[str]:
    """The images of one class that belong to `split`, sorted: every fifth in hash order is "test"."""
    ordered = hash_order(ids, seed)
    return sorted(i for rank, i in enumerate(ordered) if (rank % 5 == 1) == (split == "test"))


def grouped(keys: Sequence[str], pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The ids of each of `keys`, in their order, of `pairs` (id, key); other keys are passed over."""
    found: dict[str, list[str]] = {key: [] for key in keys}
    for identity, key in pairs:
        if key in found:
            found[key].append(identity)
    return found


def _some(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"

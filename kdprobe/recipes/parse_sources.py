"""Who teaches a stage, and who learns beside the student."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.external import is_reference
from kdprobe.paths import expanded
from kdprobe.recipes.keys import (
    check_keys,
    choice,
    epoch,
    filled_list,
    nearest,
    pairs,
    plain_name,
    positive,
    whole,
)
from kdprobe.recipes.stage import INITIAL, MODELS, SEARCHES, USUAL_TEACHERS, Peer, Source
from kdprobe.weight_files import SUFFIXES

#: networks that every experiment has
EVERYWHERE = ("teacher", "baseline")
RESERVED = (*EVERYWHERE, "student", "learner")


def parse_sources(
    where: str, content: Any, folder: Path | None, before: Sequence[str], later: Sequence[str]
) -> tuple[Source, ...]:
    """The sources that the key `teacher` names; () for false.

    `before`: networks of the recipe that are trained by then, `later`: the others of them. Raises ConfigError.
    """
    if isinstance(content, bool):
        return USUAL_TEACHERS if content else ()
    if content is None:
        raise ConfigError(f"{where}: teacher is empty; write true, false, a network or a list of networks.")
    listed = filled_list(where, "teacher", content, "network") if isinstance(content, list) else [content]
    sources = tuple(_source(where, each, folder, before, later) for each in listed)
    for k, source in enumerate(sources):
        if source in sources[:k]:
            raise ConfigError(f"{where}: {source.network} teaches twice at the same epoch; name it once.")
        if source.anchors is not None and len(sources) > 1:
            raise ConfigError(
                f"{where}: the anchors of {source.network} are one teacher after the other, so it must teach alone; "
                "take the other teachers or the anchors out."
            )
    return sources


def _source(
    where: str, content: Any, folder: Path | None, before: Sequence[str], later: Sequence[str]
) -> Source:
    if isinstance(content, str):
        content = {"network": content}
    if not isinstance(content, dict):
        raise ConfigError(
            f"{where}: teacher must be true or false, a network or a list of networks, got {content!r}."
        )
    check_keys(
        f"{where}, teacher", content, required=("network",), optional=("epoch", "anchors", "search", "delta")
    )
    network = _network(where, str(content["network"]), folder, before, later)
    what = f"{where}: {{}} of the teacher {network}"
    at, anchors = content.get("epoch", "last"), content.get("anchors")
    source = Source(
        network,
        at if at == "last" else epoch(f"{what.format('epoch')} must be last, or it", at),
        None if anchors is None else whole(what.format("anchors"), anchors, 2),
        choice(where, "search", content.get("search", SEARCHES[0]), SEARCHES),
        None if content.get("delta") is None else positive(what.format("delta"), content["delta"]),
    )
    _check_route(where, source, content)
    return source


def _check_route(where: str, source: Source, content: dict[str, Any]) -> None:
    name, greedy = source.network, source.search == "greedy"
    if is_weight_file(name) and (source.epoch != "last" or source.anchors is not None):
        key = "anchors" if source.anchors is not None else "epoch"
        raise ConfigError(
            f"{where}: {name} is one set of weights without epochs; drop {key}, or name a folder."
        )
    if source.anchors is not None and source.epoch != "last":
        raise ConfigError(f"{where}: epoch and anchors of the teacher {name} exclude each other; drop one.")
    for key in ("search", "delta"):
        if source.anchors is None and key in content and content[key] != getattr(Source, key):
            raise ConfigError(
                f"{where}: {key} says how anchors are found; give anchors of {name}, or drop it."
            )
    if greedy and source.delta is None:
        raise ConfigError(
            f"{where}: the greedy search for anchors needs a threshold; give delta, usually 0.8."
        )
    if source.delta is not None and not greedy:
        raise ConfigError(f"{where}: delta belongs to search: greedy; add that, or drop delta.")


def _network(where: str, name: str, folder: Path | None, before: Sequence[str], later: Sequence[str]) -> str:
    if name in EVERYWHERE or name in before:
        return name
    if name in later:
        raise ConfigError(
            f"{where}: {name} is not trained by then; list it under networks before the one that it teaches."
        )
    if is_path(name):
        path = expanded(name)
        return str(path if folder is None else folder / path)
    raise ConfigError(
        f"{where}: no network {name!r} to be taught by: {nearest(name, (*EVERYWHERE, *before))} (or give the path of "
        "a network's folder or of a weight file)."
    )


def is_path(name: str) -> bool:
    """True if a source is written as a path: it has a separator, or the ending of a weight file."""
    return is_weight_file(name) or "/" in name or os.sep in name or name.startswith("~")


def is_weight_file(name: str) -> bool:
    """True if a source is a file of weights, not a folder of snapshots."""
    return name.lower().endswith(SUFFIXES)


def parse_peers(where: str, content: Any, folder: Path | None) -> tuple[Peer, ...]:
    """The networks that the key `peers` lists. Raises ConfigError."""
    if not isinstance(content, list):
        raise ConfigError(f"{where}: peers must be a list of networks, got {content!r}.")
    peers = []
    for each in content:
        check_keys(
            f"{where}, peers", each, required=("name",), optional=("model", "model_options", "initial")
        )
        peers.append(Peer(**network_start(f"{where}, peers", each, folder)))
    check_names(where, [peer.name for peer in peers])
    return tuple(peers)


def network_start(where: str, content: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The keys that say what a network of a recipe is and where it starts, checked."""
    name, model = plain_name(where, content["name"]), str(content.get("model", "student"))
    options = pairs(f"{where}: model_options of {name}", content.get("model_options"))
    if options and model in MODELS:
        raise ConfigError(
            f"{where}: {name} takes the {model}'s architecture with its options; name another model for model_options."
        )
    initial = content.get("initial", "learner")
    if isinstance(initial, str):
        choice(where, f"initial of {name} (or a whole number)", initial, INITIAL)
    else:
        whole(f"{where}: initial of {name}", initial, 0)
    if is_reference(model) and folder is not None:
        model = str(folder / expanded(model))
    return {"name": name, "model": model, "model_options": options, "initial": initial}


def check_names(where: str, names: Sequence[str]) -> None:
    """Raise ConfigError if a name stands twice, or is one that every experiment has."""
    for k, name in enumerate(names):
        if name in RESERVED:
            raise ConfigError(f"{where}: {name} has its own meaning; give that network another name.")
        if name in names[:k]:
            raise ConfigError(f"{where}: two networks are called {name}; give each a name of its own.")

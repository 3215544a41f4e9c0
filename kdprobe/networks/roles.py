"""Layers by what they are in their network: a recipe can name them without knowing the network."""

import re
from collections.abc import Mapping

from torch import nn

from kdprobe.errors import ConfigError

#: what stands in a recipe for layers that every network fills for itself
ROLES = (
    "{stages}",
    "{stages_preact}",
    "{middle}",
    "{middle_preact}",
    "{last}",
    "{last_preact}",
    "{embedding}",
)


def layers_of(model: nn.Module, role: str) -> tuple[str, ...]:
    """Module paths of the layers that have `role` (one of `ROLES`) in `model`, shallow to deep.

    ``{stages}``: the last value after a ReLU of each resolution, ``{stages_preact}``: the same before that ReLU;
    ``{middle}`` and ``{middle_preact}``: that with the index n // 2 of the n, counted from 0; ``{last}`` and
    ``{last_preact}``: the deepest; ``{embedding}``: what the last linear layer gets.

    They are read off ``model.taps``: stage1 to stageN, stage1_preact to stageN_preact, embedding. Where a network's
    stageN is not the rectified value (a wide residual network's is the sum), its tap stageN_rectified is taken.

    Raises ConfigError if there is no such role, or if the network lacks one of the taps.
    """
    if role not in ROLES:
        raise ConfigError(f"No role {role!r} of layers; known are {', '.join(ROLES)}.")
    network = type(model).__name__
    taps = getattr(model, "taps", None)
    taps = taps if isinstance(taps, Mapping) else {}
    what = role.strip("{}")
    if what == "embedding":
        wanted = ["embedding"]
    else:
        before = what.endswith("_preact")
        wanted = [_stage(taps, k, before) for k in range(1, _stages(taps) + 1)]
    missing = [tap for tap in wanted if tap not in taps]
    if missing or not wanted:
        needed = ", ".join(missing) or f"stage1 ... stageN{'_preact' if what.endswith('_preact') else ''}"
        raise ConfigError(
            f"{network} does not say which of its layers are {role}: give it the taps {needed} (an attribute `taps`: "
            "name -> module path), or name the layers in the recipe."
        )
    paths = tuple(str(taps[tap]) for tap in wanted)
    if what.startswith("middle"):
        return (paths[len(paths) // 2],)
    return paths[-1:] if what.startswith("last") else paths


def _stages(taps: Mapping[str, str]) -> int:
    """The highest number of a stage."""
    numbers = [re.fullmatch(r"stage(\d+)(_preact|_rectified)?", str(tap)) for tap in taps]
    return max((int(found[1]) for found in numbers if found), default=0)


def _stage(taps: Mapping[str, str], number: int, before: bool) -> str:
    if before:
        return f"stage{number}_preact"
    rectified = f"stage{number}_rectified"
    return rectified if rectified in taps else f"stage{number}"

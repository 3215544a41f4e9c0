"""How the numbers of the live probe are called and written, in the page and in the terminal. Imports no torch."""

from collections.abc import Mapping
from math import isfinite, nan
from typing import NamedTuple

from kdprobe.records.numbers import interval_text


class Words(NamedTuple):
    """One of the four numbers."""

    letter: str
    index: str
    plain: str  #: the sign where there are no letters but ASCII
    title: str
    unit: str

    @property
    def sign(self) -> str:
        return f"{self.letter}_{self.index}" if self.index else self.letter


#: in the order in which they are shown
WORDS = {
    "n_foreground": Words("N", "fg", "N_fg", "foreground concepts", "cells"),
    "n_background": Words("N", "bg", "N_bg", "background concepts", "cells"),
    "relevance_ratio": Words("λ", "", "lambda", "relevance ratio", "share"),
    "stability_so_far": Words("ρ", "", "rho", "stability so far", "share"),
}


def shown(found: Mapping[str, float | None], *, minus: str = "−") -> tuple[str, str]:
    """Value and interval of one number as texts: ("16.2", "[15.1, 17.3]"); ("n/a", "") if it has no value."""
    value, low, high = (nan if found[part] is None else found[part] for part in ("value", "low", "high"))
    text, interval = interval_text(value, low, high, minus=minus)
    return text, interval if isfinite(low) and isfinite(high) else ""

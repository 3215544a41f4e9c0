"""How numbers are written wherever people read them: as many decimals as the interval deserves."""

from math import floor, isfinite, log10

MISSING = "n/a"  #: shown where there is no value


def decimals(value: float, low: float, high: float) -> int:
    """Decimals (0 ... 6) showing two digits of the interval's half width; without one, three of the value."""
    if isfinite(low) and isfinite(high) and high > low:
        scale = (high - low) / 2
        digits = 2
    elif isfinite(value) and value != 0:
        scale = abs(value)
        digits = 3
    else:
        return 2
    return min(6, max(0, digits - 1 - floor(log10(scale))))


def number(value: float, places: int, *, signed: bool = False, minus: str = "−") -> str:
    """`value` with `places` decimals; `n/a` for NaN; `signed` writes the + of a difference."""
    if not isfinite(value):
        return MISSING
    text = f"{abs(value):.{places}f}"
    if float(text) == 0:
        return text
    return (minus if value < 0 else "+" if signed else "") + text


def interval_text(
    value: float, low: float, high: float, *, signed: bool = False, minus: str = "−"
) -> tuple[str, str]:
    """Value and bracketed interval, both with the same decimals: ("16.2", "[15.1, 17.3]")."""
    places = decimals(value, low, high)
    ends = (number(end, places, signed=signed, minus=minus) for end in (low, high))
    return number(value, places, signed=signed, minus=minus), "[" + ", ".join(ends) + "]"


def percent(share: float | None) -> str:
    """A share 0 ... 1 in per cent, to one decimal: "26.2 %"; `n/a` for None and NaN."""
    return f"{100 * share:.1f} %" if share is not None and isfinite(share) else MISSING

"""The terms of a stage's loss, and in which epochs they count."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdprobe.errors import ConfigError
from kdprobe.external import is_reference
from kdprobe.paths import expanded
from kdprobe.recipes.keys import check_keys, epoch, pairs, positive
from kdprobe.recipes.term import Term


def parse_terms(where: str, content: Sequence[Any], folder: Path | None) -> tuple[Term, ...]:
    """The terms in `content`, checked one by one and together. Raises ConfigError."""
    terms = tuple(_term(where, each, folder) for each in content)
    _check_no_gap(where, terms)
    return terms


def _term(where: str, content: Any, folder: Path | None) -> Term:
    if isinstance(content, str):
        content = {"name": content}
    optional = ("weight", "options", "warm_up", "from", "until", "decay")
    check_keys(f"{where}, objective", content, required=("name",), optional=optional)
    name = str(content["name"])
    options = pairs(f"{where}: the options of {name}", content.get("options"))
    if is_reference(name) and folder is not None:
        name = str(folder / expanded(name))
    term = Term(
        name,
        positive(f"{where}: the weight of {name}", content.get("weight", 1.0)),
        options,
        epoch(f"{where}: warm_up of {name}", content.get("warm_up", 0)),
        epoch(f"{where}: from of {name}", content.get("from", 0)),
        epoch(f"{where}: until of {name}", content.get("until", 1.0)),
        _decay(f"{where}: decay of {name}", content.get("decay", 1.0)),
    )
    comparable = isinstance(term.until, float) == isinstance(term.from_, float) or term.from_ == 0
    if (
        term.until == 0
        or (comparable and term.from_ >= term.until)
        or (term.from_ == 1.0 and _share(term.from_))
    ):
        raise ConfigError(
            f"{where}: {name} counts in no epoch, from {term.from_} until {term.until}; widen or drop it."
        )
    try:
        _ = term.inputs  # finds the objective and compares its options
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return term


def _check_no_gap(where: str, terms: Sequence[Term]) -> None:
    """Refuses stretches of a stage without any loss, as far as they are seen without its number of epochs."""
    spans = [(term.from_, term.until) for term in terms]
    if not all(_share(until) and (_share(start) or start == 0) for start, until in spans):
        return
    reached = 0.0
    for start, until in sorted(spans):
        if start > reached:
            break
        reached = max(reached, until)
    if reached < 1:
        later = [start for start, _ in spans if start > reached]
        raise ConfigError(
            f"{where}: no term counts from {reached} to {min(later, default=1.0)} of the stage; widen one."
        )


def _decay(what: str, value: Any) -> float:
    number = positive(what, value)
    if number > 1:
        raise ConfigError(f"{what} must be a number above 0 and at most 1, got {value!r}.")
    return number


def _share(value: int | float) -> bool:
    return isinstance(value, float)

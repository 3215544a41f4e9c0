"""Teacher, students and baseline of a sweep beside each other: accuracy and metrics, mean over seeds."""

from collections.abc import Sequence
from math import isnan, nan
from operator import attrgetter

import numpy as np

from kdprobe.errors import InputError
from kdprobe.records import Interval
from kdprobe.report.cells import (
    PLACE,
    Cell,
    Column,
    Table,
    grouped,
    number_texts,
    order_of,
    place_columns,
    shared_places,
    span_text,
    text_cell,
    text_column,
)
from kdprobe.report.sweep_captions import ARROWS
from kdprobe.report.sweep_files import ROLES, NetworkValue

ENDS = ("", "_low", "_high", "_n", "_seeds")


def networks_table(values: Sequence[NetworkValue], metrics: Sequence[str]) -> Table:
    """A line for each network of every data set, architecture and layer: teacher, students, baseline.

    Accuracy (in percent; a share in CSV) and `metrics`: mean over the seeds that have a value, and in brackets the
    lowest and highest seed; of one seed alone the 95 % interval over its images. InputError if a network has two
    accuracies for one seed.
    """
    networks = _in_order(values)
    measured = {key: {m: _measured(found, m) for m in metrics} for key, found in networks.items()}
    counts = [len({row.seed for row in found}) for found in networks.values()]
    differ = len(set(counts)) > 1  # else the caption says it for all
    rows = []
    for (key, found), count in zip(networks.items(), counts, strict=True):
        beside = [each for other, each in measured.items() if other[:3] == key[:3]]
        places = {m: shared_places(_over_seeds(each[m]) for each in beside) for m in metrics}
        rows.append(
            (
                *map(text_cell, key[:3]),
                Cell(key[3], fields=(key[3], found[0].role)),
                _accuracy_cell(found),
                *(_metric_cell(measured[key][m], places[m]) for m in metrics),
                Cell(span_text([sum(each.n for each in measured[key][m]) for m in metrics])),
                *([text_cell(count)] if differ else []),
            )
        )
    columns = (
        *place_columns(),
        Column(Cell("network"), ("network", "role")),
        Column(Cell("acc. / %"), tuple(f"accuracy{end}" for end in ENDS if end != "_n"), align="c"),
        *(Column(Cell(metric=m), tuple(m + end for end in ENDS), align="c") for m in metrics),
        Column(Cell("n"), align="r"),
        *([text_column("seeds", align="r")] if differ else []),
    )
    return Table(
        "Teacher, students and baseline", "tab:networks", columns, tuple(rows), _caption(sorted(set(counts)))
    )


def _in_order(values: Sequence[NetworkValue]) -> dict[tuple[str, ...], list[NetworkValue]]:
    """By data set, architecture and layer as they first appear, there by role."""
    order = order_of(values, PLACE)
    rows = sorted(values, key=lambda row: (*order(row), ROLES.index(row.role)))
    return grouped(rows, attrgetter(*PLACE, "network"))


def _accuracy_cell(found: Sequence[NetworkValue]) -> Cell:
    by_seed: dict[int, set[float]] = {}
    for row in found:
        if not isnan(row.accuracy):
            by_seed.setdefault(row.seed, set()).add(row.accuracy)
    for seed, accuracies in by_seed.items():
        if len(accuracies) > 1:
            raise InputError(
                f"{found[0].network} has several accuracies for seed {seed} ({sorted(accuracies)}): give one for "
                "each network and seed."
            )
    over = _over_seeds([Interval(min(each), nan, nan, 0) for each in by_seed.values()])
    text, interval = number_texts(100 * over.value, 100 * over.low, 100 * over.high, places=1)
    return Cell(text, interval, fields=(over.value, over.low, over.high, len(by_seed)))


def _measured(found: Sequence[NetworkValue], metric: str) -> list[Interval]:
    return [row.value for row in found if row.metric == metric and not isnan(row.value.value)]


def _metric_cell(found: Sequence[Interval], places: int) -> Cell:
    over = _over_seeds(found)
    text, interval = number_texts(over.value, over.low, over.high, places=places)
    return Cell(text, interval, fields=(over.value, over.low, over.high, over.n, len(found)))


def _over_seeds(found: Sequence[Interval]) -> Interval:
    """Mean, lowest and highest seed; of one seed its own interval."""
    if len(found) == 1:
        return found[0]
    values = [each.value for each in found]
    ends = (float(np.mean(values)), min(values), max(values)) if values else (nan, nan, nan)
    return Interval(*ends, sum(each.n for each in found))


def _caption(counts: Sequence[int]) -> str:
    several, one = any(count > 1 for count in counts), 1 in counts
    brackets = [f"Mean over {span_text(counts)} {'seed' if counts == [1] else 'seeds'}."]
    if several:
        brackets.append("In brackets: the lowest and the highest seed (no interval).")
    if one:
        alone = "Where seeds is 1, in brackets" if several else "In brackets"
        brackets.append(f"{alone}: 95 % interval over images, which leaves out the variation between seeds.")
    return " ".join(
        (
            "Teacher, students and baseline, each over its own usable images.",
            *brackets,
            "Accuracy: on the test split after the last stage; it enters no verdict.",
            ARROWS,
            "Nothing is bold: differences are judged pair by pair, student against baseline.",
            "D and ρ must be compared only between networks that were followed for the same number of epochs, which "
            "a teacher often was not.",
            "n: images, all seeds together, from the fewest to the most where metrics differ.",
        )
    )

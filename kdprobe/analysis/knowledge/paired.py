"""Students against the baseline in what the hypotheses do not ask: differences over the same images and seeds."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from kdprobe.analysis.knowledge.changes import QUANTITIES
from kdprobe.analysis.knowledge.counted import CountedNetwork, CountedUnit, by_key, network_names
from kdprobe.analysis.knowledge.fields import Row, key_fields, number
from kdprobe.analysis.knowledge.margins import common_reach, image_areas
from kdprobe.metrics import nested_difference

AREA = "margin_area"
PAIRED = (AREA, *QUANTITIES)


def paired_rows(units: Iterable[CountedUnit]) -> list[Row]:
    """paired.csv: student - baseline over the same images, nested in seeds (`nested_difference`); without a verdict.

    margin_area: area under lambda over the margins that area.csv has (cells is empty, since lambda is of both kinds);
    overlap: IoU with the teacher at the last epoch; lost, gained: cells per kept epoch, mean over the epochs after the
    first; discarded: the share of what was ever learned that is not kept. All but the area are of the foreground.
    Intervals have the estimator's noise, as those of comparisons.csv. lost, gained and discarded are compared in the
    seeds in which the same epochs of both were kept. Fields are empty where no seed has both networks and a value.
    """
    return [row for seeds in by_key(units).values() for row in _paired(seeds)]


def _paired(units: Sequence[CountedUnit]) -> list[Row]:
    reach = common_reach(units)
    return [
        {
            **key_fields(units),
            "student": name,
            "quantity": quantity,
            **_difference(units, name, quantity, reach),
        }
        for name, role in network_names(units).items()
        if role == "student"
        for quantity in PAIRED
    ]


def _difference(units: Sequence[CountedUnit], student: str, quantity: str, reach: int) -> Row:
    cells = None if quantity == AREA else "foreground"
    having = [each for each in units if _comparable(each, student, quantity)]
    if not having:
        return {"cells": cells, "seeds": 0, "n": 0}
    (values, noise), (baseline_values, baseline_noise) = (
        zip(*(_of_images(each.networks[name], quantity, reach) for each in having), strict=True)
        for name in (student, "baseline")
    )
    settings = units[0].unit.settings
    found = nested_difference(
        values,
        baseline_values,
        seed=settings.seed,
        student_noise=noise,
        baseline_noise=baseline_noise,
        images=[each.unit.ids for each in having],
        resamples=settings.resamples,
    )
    ends = {end: number(getattr(found, end)) for end in ("low", "high", "images_low", "images_high")}
    return {"cells": cells, "difference": number(found.value), **ends, "seeds": found.seeds, "n": found.n}


def _comparable(counted: CountedUnit, student: str, quantity: str) -> bool:
    if not {student, "baseline"} <= set(counted.networks):
        return False
    same = counted.networks[student].epochs == counted.networks["baseline"].epochs
    return same or quantity in (AREA, "overlap")


def _of_images(network: CountedNetwork, quantity: str, reach: int) -> tuple[Tensor, Tensor]:
    """(N,) and, in redraws, (R, N)."""
    if quantity != AREA:
        return network.changes.values[quantity], network.changes.noise[quantity]
    if reach > 1:
        return image_areas(network, reach)
    ratios, copies = network.margins["relevance_ratio"][0], network.ratio_noise[:, 0]
    return torch.full_like(ratios, torch.nan), torch.full_like(copies, torch.nan)

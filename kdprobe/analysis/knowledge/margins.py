"""Tables over the margin b: no single choice of it decides."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from kdprobe.analysis.knowledge.counted import CountedNetwork, CountedUnit, by_key, network_names
from kdprobe.analysis.knowledge.fields import Row, interval_fields, key_fields, mean, pooled
from kdprobe.metrics import MARGINS, METRICS, margin_area
from kdprobe.metrics.resampling import masked_statistic

_MEANS = ("relevance_ratio", "n_foreground", "n_background")
_BEYOND = ("learning_distance_mean", "learning_distance_std", "stability")


def margin_rows(units: Iterable[CountedUnit]) -> list[Row]:
    """margins.csv: metrics at each of MARGINS, means over seeds of what each seed has.

    The rows of teacher and baseline are repeated for every student, beside whose they stand. n: images that have a
    relevance ratio at this margin, all seeds together.
    """
    return [row for seeds in by_key(units).values() for row in _margins(seeds)]


def _margins(units: Sequence[CountedUnit]) -> list[Row]:
    rows, roles = [], network_names(units)
    students = [name for name, role in roles.items() if role == "student"]
    for student in students or [None]:
        for name, role in roles.items():
            if role == "student" and name != student:
                continue
            found = [each.networks[name].margins for each in units if name in each.networks]
            for place, margin in enumerate(MARGINS):
                at = {"student": student, "network": name, "role": role, "margin": margin}
                values = {metric: [one[metric][place] for one in found] for metric in _MEANS + _BEYOND}
                seen = sum(int((~one.isnan()).sum()) for one in values["relevance_ratio"])
                means = {metric: _mean_over_seeds(each, metric) for metric, each in values.items()}
                rows.append({**key_fields(units), **at, **means, "seeds": len(found), "n": seen})
    return rows


def _mean_over_seeds(values: Sequence[Tensor], metric: str) -> float | None:
    """Mean over the seeds that have a value of the metric's own statistic."""
    statistic = METRICS[metric].statistic
    found = [float(masked_statistic(each.numpy(), statistic)) for each in values]
    return mean(torch.tensor(found, dtype=torch.float64)) if found else None


def area_rows(units: Iterable[CountedUnit]) -> list[Row]:
    """area.csv: the area under lambda over b divided by the width of the range of b, mean over seeds.

    The interval is over images nested in seeds, with the estimator's noise. The range ends at last_margin, the largest
    margin at which every network of every seed still has an image with a concept, so that all areas are over one
    range; a network without any concept at the smallest margin has no area and does not count for that. Fields are
    empty where fewer than two margins are left.
    """
    return [row for seeds in by_key(units).values() for row in _areas(seeds)]


def _areas(units: Sequence[CountedUnit]) -> list[Row]:
    reach, rows = common_reach(units), []
    for name, role in network_names(units).items():
        having = [each for each in units if name in each.networks]
        row: Row = {"seeds": 0, "n": 0}
        if reach > 1:
            areas, noise = zip(*(image_areas(each.networks[name], reach) for each in having), strict=True)
            ids = [each.unit.ids for each in having]
            interval, seeds = pooled(having, areas, noise, ids, "relevance_ratio")
            fields = interval_fields(interval)
            row = {"area": fields.pop("value"), **fields, "seeds": seeds, "last_margin": MARGINS[reach - 1]}
        rows.append({**key_fields(units), "network": name, "role": role, **row})
    return rows


def common_reach(units: Iterable[CountedUnit]) -> int:
    """At how many of MARGINS every network of every unit has an image with a concept, of those that have any."""
    reaches = [_reach(n.margins["relevance_ratio"]) for each in units for n in each.networks.values()]
    return min((each for each in reaches if each > 0), default=0)


def image_areas(network: CountedNetwork, reach: int) -> tuple[Tensor, Tensor]:
    """(N,) values whose mean is the area over the first `reach` ≥ 2 of MARGINS, and (R, N), in redraws."""
    copies = [margin_area(copy[:reach], MARGINS[:reach]) for copy in network.ratio_noise]
    return margin_area(network.margins["relevance_ratio"][:reach], MARGINS[:reach]), torch.stack(copies)


def _reach(ratios: Tensor) -> int:
    """At how many of MARGINS, from the smallest on, any image has a concept."""
    return int((~ratios.isnan()).any(1).long().cumprod(0).sum())

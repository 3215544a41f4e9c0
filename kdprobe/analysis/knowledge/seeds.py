"""Tables over the seeds of one data set, architecture and layer: agreement, and classes one by one."""

from collections.abc import Iterable, Sequence

from kdprobe.analysis.knowledge.counted import CountedUnit, by_key, network_names
from kdprobe.analysis.knowledge.fields import Row, interval_fields, key_fields, mean, pooled
from kdprobe.metrics import METRICS, bootstrap_interval, seed_agreement


def agreement_rows(units: Iterable[CountedUnit]) -> list[Row]:
    """agreement.csv: do networks of several seeds end with the same concepts?

    iou is the mean over the n images that at least two seeds have (see `seed_agreement`), with its interval over
    images; chance what sets of these sizes would share at random. With one seed both are empty.
    """
    return [row for seeds in by_key(units).values() for row in _agreement(seeds)]


def _agreement(units: Sequence[CountedUnit]) -> list[Row]:
    rows, settings = [], units[0].unit.settings
    for name, role in network_names(units).items():
        having = [each for each in units if name in each.networks]
        for kind in ("foreground", "background"):
            overlap, chance = seed_agreement(
                [each.networks[name].concepts[-1] for each in having],
                [each.cells[kind] for each in having],
                [each.unit.ids for each in having],
            )
            found = interval_fields(
                bootstrap_interval(
                    overlap, seed=settings.seed, limits=(0.0, 1.0), resamples=settings.resamples
                )
            )
            row = {
                "cells": kind,
                "seeds": len(having),
                "iou": found.pop("value"),
                **found,
                "chance": mean(chance),
            }
            rows.append({**key_fields(units), "network": name, "role": role, **row})
    return rows


def class_rows(units: Iterable[CountedUnit]) -> list[Row]:
    """classes.csv: every metric over the images of one class, mean over the seeds that have such images.

    The interval is over images nested in seeds. n: images that have a value, all seeds together.
    """
    return [row for seeds in by_key(units).values() for row in _classes(seeds)]


def _classes(units: Sequence[CountedUnit]) -> list[Row]:
    rows = []
    words = dict.fromkeys(word for each in units for word in each.unit.classes)
    for name, role in network_names(units).items():
        having = [each for each in units if name in each.networks]
        for word in words:
            places = [_of_class(each, word) for each in having]
            if not any(places):
                continue
            ids = [[each.unit.ids[p] for p in own] for each, own in zip(having, places, strict=True)]
            found = [each.networks[name].values for each in having]
            for metric in METRICS:
                values = [each.values[metric][own] for each, own in zip(found, places, strict=True)]
                noise = [each.noise[metric][:, own] for each, own in zip(found, places, strict=True)]
                interval, seeds = pooled(having, values, noise, ids, metric)
                row = {"class": word, "metric": metric, **interval_fields(interval), "seeds": seeds}
                rows.append({**key_fields(units), "network": name, "role": role, **row})
    return rows


def _of_class(counted: CountedUnit, word: str) -> list[int]:
    """Places of the unit's images of the class."""
    return [p for p, label in enumerate(counted.unit.labels.tolist()) if counted.unit.classes[label] == word]

"""Tables of concepts over time: gained, lost, kept, and shared with the teacher."""

from kdprobe.analysis.knowledge.counted import CountedNetwork, CountedUnit
from kdprobe.analysis.knowledge.fields import Row, interval_fields, mean, network_fields
from kdprobe.metrics import (
    bootstrap_interval,
    chance_overlap,
    concept_overlap,
    forgetting,
    learned_sets,
    who_first,
)


def forgetting_rows(counted: CountedUnit) -> list[Row]:
    """forgetting.csv: cells present, gained, lost and ever held at every kept epoch, means over the n images.

    Between kept epochs: what came and went in between is not seen. Of one epoch alone, present is all there is.
    gained_still and lost_still are what the last epoch's maps, had they never changed, would show under the noise of
    each epoch (`still_maps`, mean over the redraws): gains and losses of that size are no detours. They are empty at
    the first epoch and where there is no noise of the maps.
    """
    initial, rows = bool(counted.unit.settings.initial), []
    for name, network in counted.networks.items():
        for kind, cells in counted.cells.items():
            found = forgetting(network.concepts, cells, initial)
            known = found._fields[:1] if network.alone else found._fields
            for place, epoch in enumerate(network.epochs):
                sizes = {field: mean(getattr(found, field)[place]) for field in known}
                row = {"epoch": epoch, "cells": kind, **sizes, "n": len(counted.unit.ids)}
                if kind in network.still:
                    still = network.still[kind]
                    row |= {"gained_still": mean(still.gained[place]), "lost_still": mean(still.lost[place])}
                rows.append({**network_fields(counted, name), **row})
    return rows


def set_rows(counted: CountedUnit) -> list[Row]:
    """sets.csv: cells ever learned, kept to the end and discarded, means over images.

    On the foreground kept / learned of an image is its rho; the mean of these ratios is not the ratio of the means.
    """
    rows = []
    for name, network in counted.networks.items():
        for kind, cells in counted.cells.items():
            found = learned_sets(network.counted, cells)
            known = ("kept",) if network.alone else found._fields
            sizes = {field: mean(getattr(found, field).sum((-2, -1))) for field in known}
            row = {"cells": kind, **sizes, "n": len(counted.unit.ids)}
            rows.append({**network_fields(counted, name), **row})
    return rows


def overlap_rows(counted: CountedUnit) -> list[Row]:
    """overlap.csv: every network's concepts held against those of the teacher's last epoch; none without a teacher.

    iou is the mean of `concept_overlap` over the images in which either holds a concept (n), with its interval over
    images; chance the mean of `chance_overlap` over the same. The last epoch's row also has the shares of `who_first`,
    means over the same images, where student is the row's network whatever its role. Who had shared concepts first is
    told by the epochs, counted from the stage's start, that were kept of both; it is empty where these are fewer than
    two. That row's iou_still is what the noise leaves of the network's overlap with itself, measured twice
    (`still_maps`); it is empty where there is no noise of the maps.
    """
    if "teacher" not in counted.networks:
        return []
    teacher, settings, rows = counted.networks["teacher"], counted.unit.settings, []
    for name, network in counted.networks.items():
        if name == "teacher":
            continue
        for kind, cells in counted.cells.items():
            overlap = concept_overlap(network.concepts, teacher.concepts[-1], cells)
            chance = chance_overlap(network.concepts, teacher.concepts[-1], cells)
            for place, epoch in enumerate(network.epochs):
                found = interval_fields(
                    bootstrap_interval(
                        overlap[place], seed=settings.seed, limits=(0.0, 1.0), resamples=settings.resamples
                    )
                )
                row = {"epoch": epoch, "cells": kind, "iou": found.pop("value"), **found}
                row["chance"] = mean(chance[place])
                if place == len(network.epochs) - 1:
                    row |= _first_shares(network, teacher, cells)
                    row["iou_still"] = mean(network.still[kind].overlap) if kind in network.still else None
                rows.append({**network_fields(counted, name), **row})
    return rows


def _first_shares(network: CountedNetwork, teacher: CountedNetwork, cells) -> Row:
    epochs, teacher_epochs = network.epochs[network.first :], teacher.epochs[teacher.first :]
    shares = who_first(network.counted, epochs, teacher.counted, teacher_epochs, cells)
    return {
        "student_first": mean(shares.one_first),
        "teacher_first": mean(shares.other_first),
        "together": mean(shares.together),
        "teacher_alone": mean(shares.other_alone),
        "student_alone": mean(shares.one_alone),
    }

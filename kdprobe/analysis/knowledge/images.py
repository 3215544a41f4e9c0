"""Tables of single images and their cells: peak epochs, distributions of entropy."""

from itertools import pairwise

from kdprobe.analysis.knowledge.counted import CountedUnit
from kdprobe.analysis.knowledge.fields import Row, network_fields, number
from kdprobe.metrics import baseline_entropy, count_concepts, entropy_histogram, learning_distance


def peak_rows(counted: CountedUnit) -> list[Row]:
    """peaks.csv: when every image had most foreground concepts, and how far the weights had moved by then.

    The epoch is counted from the stage's start. Networks with one epoch alone have no rows.
    """
    unit, rows = counted.unit, []
    rules, initial = unit.settings, unit.settings.initial is True
    for name, network in counted.networks.items():
        if network.alone:
            continue
        inside, _ = count_concepts(network.concepts, unit.foreground)
        found = learning_distance(
            inside if initial else inside[1:],
            network.network.measured.path,
            empty=rules.empty,
            initial=initial,
            path_lag=rules.path_lag,
        )
        for place, (image, label) in enumerate(zip(unit.ids, unit.labels.tolist(), strict=True)):
            distance = number(found.per_image[place])
            peak = None if distance is None else network.epochs[int(found.peak_epoch[place])]
            row = {"image": image, "class": unit.classes[label], "peak_epoch": peak, "distance": distance}
            rows.append({**network_fields(counted, name), **row})
    return rows


def histogram_rows(counted: CountedUnit) -> list[Row]:
    """histograms.csv: entropies of all images' cells at the last epoch, with H-bar and the margin.

    baseline_entropy is the mean over images of the image's background mean, empty where every image is held against
    its own: then no one value parts the concepts from the other cells.
    """
    settings, rows = counted.unit.settings, []
    for name, network in counted.networks.items():
        entropy = network.network.measured.entropy[-1]
        line = None
        if settings.scope == "dataset":
            line = number(baseline_entropy(entropy, counted.unit.foreground, settings.scope))
        for kind, cells in counted.cells.items():
            edges, counts = entropy_histogram(entropy, cells)
            for (low, high), count in zip(pairwise(edges), counts, strict=True):
                bar = {"cells": kind, "low_edge": low, "high_edge": high, "count": count}
                level = {"baseline_entropy": line, "margin": settings.margin}
                rows.append({**network_fields(counted, name), **bar, **level})
    return rows

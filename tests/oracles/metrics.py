"""The metrics in plain Python: nested lists and loops, as a reader of the definitions would write them.

No line of this file uses kdprobe, torch or numpy. Maps are nested lists [image][row][column].
"""

from fractions import Fraction
from math import sqrt

NAN = float("nan")


def cells_from_mask(mask, grid, rule):
    """mask: [row][column] of 0 and 1. Walks over all pixels and asks each for its cell."""
    height, width = len(mask), len(mask[0])
    inside = [[0] * grid for _ in range(grid)]
    total = [[0] * grid for _ in range(grid)]
    for row in range(height):
        for column in range(width):
            i, j = int(Fraction(row * grid, height)), int(Fraction(column * grid, width))
            total[i][j] += 1
            inside[i][j] += 1 if mask[row][column] else 0
    if rule == "any":
        return [[inside[i][j] > 0 for j in range(grid)] for i in range(grid)]
    return [[Fraction(inside[i][j], total[i][j]) > Fraction(1, 2) for j in range(grid)] for i in range(grid)]


def background_mean(entropy, foreground):
    values = [
        entropy[i][j] for i in range(len(entropy)) for j in range(len(entropy[i])) if not foreground[i][j]
    ]
    return sum(values) / len(values)


def baselines(entropies, foregrounds, scope):
    """One number per image: its own background mean, or the mean of these means for all."""
    means = [background_mean(*pair) for pair in zip(entropies, foregrounds, strict=True)]
    return means if scope == "image" else [sum(means) / len(means)] * len(means)


def concepts(entropies, foregrounds, margin, scope):
    result = []
    for entropy, baseline in zip(entropies, baselines(entropies, foregrounds, scope), strict=True):
        result.append([[baseline - value > margin for value in row] for row in entropy])
    return result


def count(concept_map, foreground):
    n_foreground = n_background = 0
    for concept_row, foreground_row in zip(concept_map, foreground, strict=True):
        for is_concept, is_foreground in zip(concept_row, foreground_row, strict=True):
            if is_concept and is_foreground:
                n_foreground += 1
            if is_concept and not is_foreground:
                n_background += 1
    return n_foreground, n_background


def ratio(n_foreground, n_background, empty):
    if n_foreground + n_background == 0:
        return NAN if empty == "skip" else 0.0
    return n_foreground / (n_foreground + n_background)


def peak_epoch(counts):
    """counts: of the epochs 1 ... M. The first epoch with most; 0 if nothing was ever learned."""
    best, peak = 0, 0
    for epoch, number in enumerate(counts, start=1):
        if number > best:
            best, peak = number, epoch
    return peak


def weight_path(snapshots):
    """snapshots: one flat list of weights per epoch 0 ... M."""
    unit = sqrt(sum(weight**2 for weight in snapshots[0]))
    path = [0.0]
    for epoch in range(1, len(snapshots)):
        pairs = zip(snapshots[epoch - 1], snapshots[epoch], strict=True)
        path.append(path[-1] + sqrt(sum((after - before) ** 2 for before, after in pairs)) / unit)
    return path


def stability(maps_by_epoch, foreground, empty):
    """maps_by_epoch: concept maps of one image at the epochs 1 ... M, turned into sets of cells."""
    learned = [
        {
            (i, j)
            for i, row in enumerate(concept_map)
            for j, is_concept in enumerate(row)
            if is_concept and foreground[i][j]
        }
        for concept_map in maps_by_epoch
    ]
    ever = set().union(*learned)
    if not ever:
        return NAN if empty == "skip" else 0.0
    return len(learned[-1]) / len(ever)


def mean(values):
    values = [value for value in values if value == value]
    return sum(values) / len(values) if values else NAN


def variance(values):
    """Mean squared deviation (ddof 0) of those that are not NaN."""
    values = [value for value in values if value == value]
    return mean([(value - mean(values)) ** 2 for value in values]) if values else NAN


def left_out(values):
    return sum(1 for value in values if value != value)


def per_image_metrics(entropies_by_epoch, foregrounds, path, margin, scope, empty="skip"):
    """Metric -> list over images; entropies_by_epoch: [epoch][image][row][column], epochs 1 ... M."""
    by_epoch = [concepts(entropies, foregrounds, margin, scope) for entropies in entropies_by_epoch]
    names = ("n_foreground", "n_background", "relevance_ratio", "distance", "stability")
    result = {name: [] for name in names}
    for image, foreground in enumerate(foregrounds):
        maps = [concept_maps[image] for concept_maps in by_epoch]
        counted = [count(concept_map, foreground) for concept_map in maps]
        peak = peak_epoch([n_foreground for n_foreground, _ in counted])
        result["n_foreground"].append(counted[-1][0])
        result["n_background"].append(counted[-1][1])
        result["relevance_ratio"].append(ratio(*counted[-1], empty))
        result["distance"].append(path[peak] if peak else NAN)
        result["stability"].append(stability(maps, foreground, empty))
    return result


def resampled_mean_quantiles(values):
    """Exact bootstrap distribution of the mean for few values: all n^n resamples, sorted."""
    means = [0.0]
    for _ in values:
        means = [total + value for total in means for value in values]
    return sorted(total / len(values) for total in means)

"""Forgetting, overlap, agreement and the margin curve in plain Python: sets of cells, loops, and enumeration.

No line of this file uses kdprobe, torch or numpy. A map is a nested list [row][column] of True and False.
"""

from itertools import combinations, pairwise

NAN = float("nan")


def cell_set(concept_map, cells):
    """The concept cells among `cells`, as a set of (row, column)."""
    return {
        (i, j)
        for i, row in enumerate(concept_map)
        for j, is_concept in enumerate(row)
        if is_concept and cells[i][j]
    }


def forgetting(maps_by_epoch, cells, initial):
    """(present, gained, lost, ever) of one image, a list over its epochs each."""
    sets = [cell_set(concept_map, cells) for concept_map in maps_by_epoch]
    present, gained, lost, ever, seen = [], [], [], [], set()
    for epoch, held in enumerate(sets):
        before = sets[epoch - 1] if epoch else set()
        if epoch or initial:
            seen = seen | held
        present.append(len(held))
        gained.append(len([cell for cell in held if cell not in before]))
        lost.append(len([cell for cell in before if cell not in held]))
        ever.append(len(seen))
    return present, gained, lost, ever


def learned_kept_discarded(maps_by_epoch, cells):
    """Three sets of cells of one image."""
    learned = set()
    for concept_map in maps_by_epoch:
        learned = learned | cell_set(concept_map, cells)
    kept = cell_set(maps_by_epoch[-1], cells)
    return learned, kept, {cell for cell in learned if cell not in kept}


def overlap(concept_map, other_map, cells):
    one, other = cell_set(concept_map, cells), cell_set(other_map, cells)
    return len(one & other) / len(one | other) if one | other else NAN


def chance_overlap(total, size, other_size):
    """Mean overlap of a fixed set with all sets of the other size, one after the other."""
    if size + other_size == 0:
        return NAN
    fixed = set(range(size))
    found = [
        len(fixed & set(drawn)) / len(fixed | set(drawn)) for drawn in combinations(range(total), other_size)
    ]
    return sum(found) / len(found)


def who_first(maps_by_epoch, epochs, other_by_epoch, other_epochs, cells):
    """(one first, other first, together, one alone, other alone): shares of what either holds at the end.

    Each network is asked at the epochs of both alone; without two of these the first three are NaN.
    """
    one, other = cell_set(maps_by_epoch[-1], cells), cell_set(other_by_epoch[-1], cells)
    here = dict(zip(epochs, maps_by_epoch, strict=True))
    there = dict(zip(other_epochs, other_by_epoch, strict=True))
    common = [epoch for epoch in here if epoch in there]
    numbers = [0, 0, 0, 0, 0]
    for i, j in one | other:
        if (i, j) not in other:
            numbers[3] += 1
        elif (i, j) not in one:
            numbers[4] += 1
        else:
            when = min([epoch for epoch in common if here[epoch][i][j]], default=float("inf"))
            other_when = min([epoch for epoch in common if there[epoch][i][j]], default=float("inf"))
            numbers[0 if when < other_when else 1 if when > other_when else 2] += 1
    shares = [number / len(one | other) if one | other else NAN for number in numbers]
    return shares if len(common) > 1 else [NAN, NAN, NAN, *shares[3:]]


def agreement(seeds):
    """Image -> mean overlap over pairs of seeds; seeds: for each a dict image -> (concept map, cells)."""
    found = {}
    for a in range(len(seeds)):
        for b in range(a + 1, len(seeds)):
            for image in seeds[a]:
                if image in seeds[b]:
                    one, other = cell_set(*seeds[a][image]), cell_set(*seeds[b][image])
                    shared = [len(one & other) / len(one | other)] if one | other else []
                    found.setdefault(image, []).extend(shared)
    return {image: sum(each) / len(each) if each else NAN for image, each in found.items()}


def curve(ratios, weights):
    """lambda at every margin: weighted mean of [margin][image] over the images that have a value."""
    result = []
    for row in ratios:
        pairs = [(w, r) for w, r in zip(weights, row, strict=True) if r == r]
        result.append(sum(w * r for w, r in pairs) / sum(w for w, _ in pairs))
    return result


def area(ratios, margins, weights):
    """Rectangles and triangles under the curve, over the width."""
    heights, total = curve(ratios, weights), 0.0
    for k in range(len(margins) - 1):
        width = margins[k + 1] - margins[k]
        total += width * min(heights[k], heights[k + 1]) + width * abs(heights[k + 1] - heights[k]) / 2
    return total / (margins[-1] - margins[0])


def area_pseudo_value(ratios, margins, image, step=1e-6):
    """Area + N dA/dp of one image: the derivative as a symmetric difference over mixtures of the images' weights."""
    images = [i for i in range(len(ratios[0])) if any(row[i] == row[i] for row in ratios)]
    if image not in images:
        return NAN

    def mixed(share):
        weights = [0.0] * len(ratios[0])
        for i in images:
            weights[i] = (1 - share) / len(images)
        weights[image] += share
        return area(ratios, margins, weights)

    return mixed(0.0) + (mixed(step) - mixed(-step)) / (2 * step)


def bin_counts(values, edges):
    """How many of the values lie in every [edge, next edge)."""
    return [sum(1 for value in values if low <= value < high) for low, high in pairwise(edges)]


def still(probabilities):
    """Cells of a map that never changes lost (and gained) per epoch, if each is seen with its own probability.

    A cell that is seen at one epoch and not at the next, both drawn for themselves.
    """
    return sum(p * (1 - p) for p in probabilities)

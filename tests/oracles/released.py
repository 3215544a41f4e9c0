"""What the code released with arXiv 2003.03622 computes from entropy maps, in plain Python loops.

Written from a description of that code. No line of this file uses kdprobe, torch or numpy.
entropies: [checkpoint][image][row][column] with the initial weights (epoch 0) first; foregrounds: [image][row][column];
path: one number for each checkpoint, 0 first.
"""


def _cells(entropy, foreground):
    for entropies, inside in zip(entropy, foreground, strict=True):
        yield from zip(entropies, inside, strict=True)


def _mean(values):
    values = list(values)
    return sum(values) / len(values)


def effective(entropies, foregrounds, epochs, from_epoch, keep):
    """Numbers of the images kept: image by image, checkpoints from the last to the first, until there are enough."""
    kept = []
    for image, foreground in enumerate(foregrounds):
        if len(kept) == keep:
            break
        for place in reversed(range(len(epochs))):
            pairs = list(_cells(entropies[place][image], foreground))
            on_object = _mean(h for h, inside in pairs if inside)
            beside = _mean(h for h, inside in pairs if not inside)
            if epochs[place] >= from_epoch and beside < on_object:
                break
        else:
            kept.append(image)
    return kept


def network(entropies, foregrounds, images, path, *, margin, resnet, mistake=False):
    """The printed numbers of one network over `images`, the intersection of all kept sets.

    resnet: checkpoint 0 is left out of the counts of which the largest is looked for. mistake: but not out of the list
    that the path is then looked up in. N_fg, N_bg and the ratio are those of the last checkpoint; "curves": N_fg, N_bg,
    ratio at every checkpoint.
    """
    learned, curves = [], []
    for checkpoint in entropies:
        background = []
        for image in images:
            background.append(
                _mean(h for h, inside in _cells(checkpoint[image], foregrounds[image]) if not inside)
            )
        average = _mean(background)
        sets, counts = [], []
        for image in images:
            on_object, beside = set(), 0
            for place, (h, inside) in enumerate(_cells(checkpoint[image], foregrounds[image])):
                if average - h > margin and inside:
                    on_object.add(place)
                if average - h > margin and not inside:
                    beside += 1
            sets.append(on_object)
            counts.append((len(on_object), beside))
        learned.append(sets)
        curves.append(
            (
                _mean(n for n, _ in counts),
                _mean(n for _, n in counts),
                _mean(n / (n + m) if n + m else 0 for n, m in counts),
            )
        )
    skipped = 1 if resnet else 0
    distances, percents = [], []
    for place in range(len(images)):
        numbers = [len(sets[place]) for sets in learned[skipped:]]
        listed = path if mistake else path[skipped:]
        distances.append(listed[numbers.index(max(numbers))])
        ever = set().union(*(sets[place] for sets in learned))
        percents.append(len(learned[-1][place]) / len(ever) if ever else 0)
    mean = _mean(distances)
    return {
        "n_foreground": curves[-1][0],
        "n_background": curves[-1][1],
        "relevance_ratio": curves[-1][2],
        "learning_distance_mean": mean,
        "learning_distance_var": _mean((d - mean) ** 2 for d in distances),
        "stability": _mean(percents),
        "curves": curves,
    }

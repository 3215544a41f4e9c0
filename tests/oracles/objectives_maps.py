"""Losses on feature maps and similarities of one batch, loop by loop in plain floats (nested lists in, list out).

Maps are lists [image][channel][row][column]. No line of this file uses kdprobe, torch or numpy.
"""

import math
from itertools import product


def pooled(channel, height, width):
    """Averages over the blocks floor(i H / h) ... ceil((i + 1) H / h) of rows, and of columns alike."""

    def block(i, full, small):
        return range(math.floor(i * full / small), math.ceil((i + 1) * full / small))

    rows, columns = len(channel), len(channel[0])
    smaller = []
    for i in range(height):
        smaller.append([])
        for j in range(width):
            cells = [channel[a][b] for a in block(i, rows, height) for b in block(j, columns, width)]
            smaller[-1].append(math.fsum(cells) / len(cells))
    return smaller


def alike(first, second):
    """Channels of two maps, each as a flat list of the cells that both have after pooling."""
    height = min(len(first[0]), len(second[0]))
    width = min(len(first[0][0]), len(second[0][0]))
    return [
        [[value for row in pooled(channel, height, width) for value in row] for channel in maps]
        for maps in (first, second)
    ]


def of_norm_one(values):
    norm = math.sqrt(math.fsum(v * v for v in values))
    return [v / norm for v in values] if norm else values


def attention(channels, p):
    """Sum over the channels; the paper's map, equal to that of means after division by the norm."""
    return of_norm_one([math.fsum(abs(v) ** p for v in cell) for cell in zip(*channels, strict=True)])


def squared_distance(first, second):
    return math.fsum((a - b) ** 2 for a, b in zip(first, second, strict=True))


def summed_over_layers(one, student_layers, teacher_layers):
    """one(student's maps of an image, the teacher's) summed over the layers, for each image."""
    layers = list(zip(student_layers, teacher_layers, strict=True))
    images = range(len(student_layers[0]))
    return [math.fsum(one(student[i], teacher[i]) for student, teacher in layers) for i in images]


def at(student_layers, teacher_layers, p):
    def one(student, teacher):
        student, teacher = alike(student, teacher)
        return squared_distance(attention(student, p), attention(teacher, p)) / len(student[0])

    return summed_over_layers(one, student_layers, teacher_layers)


def at_paper(student_layers, teacher_layers, p):
    def one(student, teacher):
        student, teacher = alike(student, teacher)
        return math.sqrt(squared_distance(attention(student, p), attention(teacher, p)))

    return summed_over_layers(one, student_layers, teacher_layers)


def nst(student_layers, teacher_layers):
    def kernel(x, y):
        return math.fsum(a * b for a, b in zip(x, y, strict=True)) ** 2

    def mean(first, second):
        return math.fsum(kernel(x, y) for x, y in product(first, second)) / (len(first) * len(second))

    def one(student, teacher):
        student, teacher = ([of_norm_one(c) for c in channels] for channels in alike(student, teacher))
        return mean(teacher, teacher) + mean(student, student) - 2 * mean(student, teacher)

    return summed_over_layers(one, student_layers, teacher_layers)


def flow(first, second):
    """The flow matrix as a dictionary of its entries."""
    first, second = alike(first, second)
    return {
        (i, j): math.fsum(a * b for a, b in zip(x, y, strict=True)) / len(x)
        for (i, x), (j, y) in product(enumerate(first), enumerate(second))
    }


def fsp(student_layers, teacher_layers):
    values = []
    for image in range(len(student_layers[0])):
        total = 0.0
        for k in range(len(student_layers) - 1):
            ours = flow(student_layers[k][image], student_layers[k + 1][image])
            theirs = flow(teacher_layers[k][image], teacher_layers[k + 1][image])
            total += math.fsum((ours[entry] - theirs[entry]) ** 2 for entry in ours) / len(ours)
        values.append(total)
    return values


def sp(student, teacher):
    """Rows are the flattened features of an image."""

    def similarities(rows):
        return [
            of_norm_one([math.fsum(a * b for a, b in zip(x, y, strict=True)) for y in rows]) for x in rows
        ]

    pairs = zip(similarities(student), similarities(teacher), strict=True)
    return [squared_distance(s, t) / len(student) for s, t in pairs]


def input_gradient(weights, image, label):
    """Of the cross-entropy of the linear network logits_k = Σ_d weights[k][d] image[d], by the image."""
    logits = [math.fsum(w * x for w, x in zip(row, image, strict=True)) for row in weights]
    total = math.fsum(math.exp(v) for v in logits)
    missing = [math.exp(v) / total - (k == label) for k, v in enumerate(logits)]
    return [math.fsum(m * row[d] for m, row in zip(missing, weights, strict=True)) for d in range(len(image))]

"""Losses on the relations of a batch's images, loop by loop (lists of rows in, one number per image out).

Distances come from differences of coordinates, probabilities of orders from drawing without replacement. No line of
this file uses kdprobe or torch.
"""

import math
from itertools import permutations

import numpy as np


def distance(a, b):
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def huber(x):
    return x * x / 2 if abs(x) < 1 else abs(x) - 0.5


def rkd_distance(student, teacher):
    def relative(rows):
        table = [[distance(a, b) for b in rows] for a in rows]
        positive = [d for row in table for d in row if d > 0]
        mean = math.fsum(positive) / len(positive)
        return [[d / mean for d in row] for row in table]

    return [
        math.fsum(huber(a - b) for a, b in zip(s, t, strict=True)) / len(s)
        for s, t in zip(relative(student), relative(teacher), strict=True)
    ]


def angle(at, one, other):
    """Cosine of the angle at `at`; 0 where a side has no length."""
    a, b = distance(one, at), distance(other, at)
    product = math.fsum((x - z) * (y - z) for x, y, z in zip(one, other, at, strict=True))
    return product / (a * b) if a and b else 0.0


def rkd_angle(student, teacher):
    count = range(len(student))
    return [
        math.fsum(
            huber(angle(student[i], student[j], student[k]) - angle(teacher[i], teacher[j], teacher[k]))
            for j in count
            for k in count
        )
        / len(student) ** 2
        for i in count
    ]


def cosine(a, b, eps):
    norms = [math.sqrt(math.fsum(x * x for x in v)) + eps for v in (a, b)]
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / norms[0] / norms[1]


def neighbours(rows, kernel):
    """Row i: the kernel of image i with every image, as shares of their sum."""
    table = [[kernel(a, b) for b in rows] for a in rows]
    return [[value / math.fsum(row) for value in row] for row in table]


def pkt(student, teacher):
    def kernel(a, b):
        return (1 + cosine(a, b, 1e-7)) / 2

    rows = zip(neighbours(teacher, kernel), neighbours(student, kernel), strict=True)
    return [
        math.fsum(p * math.log((p + 1e-7) / (q + 1e-7)) for p, q in zip(of_t, of_s, strict=True)) / len(of_t)
        for of_t, of_s in rows
    ]


def information_flow(student_layers, teacher_layers):
    def angular(a, b):
        return (1 + cosine(a, b, 1e-6)) / 2

    def student_t(a, b):
        return 1 / (1 + math.sqrt(distance(a, b) ** 2 + 1e-6))

    values = [0.0] * len(student_layers[0])
    for student, teacher in zip(student_layers, teacher_layers, strict=True):
        for kernel in (angular, student_t):
            rows = zip(neighbours(teacher, kernel), neighbours(student, kernel), strict=True)
            for i, (of_t, of_s) in enumerate(rows):
                both = [p * math.log(p / q) + q * math.log(q / p) for p, q in zip(of_t, of_s, strict=True)]
                values[i] += math.fsum(both) / len(both)
    return values


def of_length_one(rows):
    return [[x / math.sqrt(math.fsum(y * y for y in row)) for x in row] for row in rows]


def order_probability(scores, order):
    """Draw one after the other, without putting back, each with a chance proportional to exp(score)."""
    urn, probability = {i: math.exp(s) for i, s in enumerate(scores)}, 1.0
    for i in order:
        probability *= urn[i] / math.fsum(urn.values())
        del urn[i]
    return probability


def nearest(teacher, i, length):
    others = [j for j in range(len(teacher)) if j != i]
    return sorted(others, key=lambda j: distance(teacher[i], teacher[j]))[:length]


def darkrank(student, teacher, alpha, beta, length, soft):
    values = []
    for i in range(len(student)):
        near = nearest(teacher, i, length)
        of_s, of_t = (
            [-alpha * distance(rows[i], rows[j]) ** beta for j in near] for rows in (student, teacher)
        )
        first = tuple(range(len(near)))
        if not soft:
            values.append(-math.log(order_probability(of_s, first)))
            continue
        pairs = [(order_probability(of_t, o), order_probability(of_s, o)) for o in permutations(first)]
        values.append(math.fsum(p * math.log(p / q) for p, q in pairs))
    return values


def contrastive(features, weights, memories, z, own, drawn, temperature, momentum):
    """One step of contrastive distillation.

    features, weights, memories: of student and teacher; weights: (matrix, bias); z: of the student's and the teacher's
    anchors, None before the first step; own: each image's place; drawn: for each image the places of its negatives.
    Returns the values, the memories after the step, and z.
    """
    embedded = []
    for rows, (matrix, bias) in zip(features, weights, strict=True):
        linear = np.asarray(rows) @ np.asarray(matrix).T + np.asarray(bias)
        embedded.append([v / math.sqrt(float(v @ v)) for v in linear])
    memories = [np.array(memory, dtype=float) for memory in memories]
    count, draws = len(memories[0]), len(drawn[0])
    values, found = [0.0] * len(own), []
    for anchors, memory, given in zip(embedded, reversed(memories), z or (None, None), strict=True):
        scores = [
            [math.exp(float(v @ memory[n]) / temperature) for n in (own[i], *drawn[i])]
            for i, v in enumerate(anchors)
        ]
        every = [value for row in scores for value in row]
        found.append(given or count * math.fsum(every) / len(every))
        noise = draws / count
        for i, (first, *others) in enumerate(scores):
            p = first / found[-1]
            values[i] -= math.log(p / (p + noise + 1e-7))
            for value in others:
                values[i] -= math.log(noise / (value / found[-1] + noise + 1e-7))
    for anchors, memory in zip(embedded, memories, strict=True):
        for i, v in enumerate(anchors):
            mixed = momentum * memory[own[i]] + (1 - momentum) * v
            memory[own[i]] = mixed / math.sqrt(float(mixed @ mixed))
    return values, memories, found

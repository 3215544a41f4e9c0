"""Ensembles of networks by search and textbook algebra. No line of this file uses kdprobe or torch."""

import math

import numpy as np
from scipy.optimize import minimize


def loss(row, label):
    highest = max(row)
    return highest + math.log(math.fsum(math.exp(v - highest) for v in row)) - row[label]


def naive(logits, labels):
    """logits[network][image][class] -> [image][class]; ties go to the first network."""
    return [
        min((network[i] for network in logits), key=lambda row, label=label: loss(row, label))
        for i, label in enumerate(labels)
    ]


def min_logit(logits, labels):
    return [
        [min(network[i][c] - network[i][label] for network in logits) for c in range(len(logits[0][i]))]
        for i, label in enumerate(labels)
    ]


def mean_logits(logits):
    return [
        [math.fsum(column) / len(logits) for column in zip(*rows, strict=True)]
        for rows in zip(*logits, strict=True)
    ]


def mean_probabilities(logits):
    def softmax(row):
        total = math.fsum(math.exp(v) for v in row)
        return [math.exp(v) / total for v in row]

    return [
        [math.log(math.fsum(column) / len(logits)) for column in zip(*map(softmax, rows), strict=True)]
        for rows in zip(*logits, strict=True)
    ]


def linear_by_search(rows, label):
    """(smallest loss, weights) of one image's rows (K, C) by sequential quadratic programming from every corner."""
    rows = np.asarray(rows, dtype=float)
    count = len(rows)
    found = []
    for start in [*np.eye(count), np.full(count, 1 / count)]:
        result = minimize(
            lambda w: loss((w @ rows).tolist(), label),
            start,
            method="SLSQP",
            bounds=[(0, 1)] * count,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        weights = np.clip(result.x, 0, None) / np.clip(result.x, 0, None).sum()
        found.append((loss((weights @ rows).tolist(), label), weights.tolist()))
    return min(found)


def linear_by_grid(rows, label, steps=2000):
    """Smallest loss of two networks' rows over a grid of weights."""
    first, second = rows
    mixtures = (
        [k / steps * a + (1 - k / steps) * b for a, b in zip(first, second, strict=True)]
        for k in range(steps + 1)
    )
    return min(loss(row, label) for row in mixtures)


def error_correlation(logits, labels):
    errors = []
    for network in logits:
        flat = []
        for row, label in zip(network, labels, strict=True):
            total = math.fsum(math.exp(v) for v in row)
            flat += [math.exp(v) / total - (c == label) for c, v in enumerate(row)]
        errors.append(flat)
    return [
        [math.fsum(a * b for a, b in zip(e, f, strict=True)) / len(labels) for f in errors] for e in errors
    ]


def general_weights(correlation):
    inverse = np.linalg.inv(np.asarray(correlation))
    return (inverse.sum(axis=1) / inverse.sum()).tolist()

"""Distillation losses of one batch in plain Python floats (lists in, list out). Slow and simple on purpose."""

import math


def softmax(values):
    highest = max(values)
    weights = [math.exp(v - highest) for v in values]
    total = math.fsum(weights)
    return [w / total for w in weights]


def cross_entropy(logits, labels):
    return [-math.log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)]


def kd(student, teacher, temperature):
    values = []
    for student_row, teacher_row in zip(student, teacher, strict=True):
        q = softmax([v / temperature for v in student_row])
        p = softmax([v / temperature for v in teacher_row])
        values.append(temperature**2 * math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return values


def feature_mse(student, teacher):
    return [
        math.fsum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / len(s)
        for s, t in zip(student, teacher, strict=True)
    ]

"""Losses with connectors, in numpy and loops over images, channels and cells; weights are handed in as arrays.

Maps are arrays (channels, height, width) of one image. The margin is an integral by quadrature. No line of this file
uses kdprobe or torch.
"""

import math

import numpy as np
from scipy.integrate import quad


def convolved(maps, weight, bias=None, stride=1, padding=0):
    """Textbook correlation: weight (out, in, kh, kw)."""
    out, channels, kh, kw = weight.shape
    padded = np.zeros((channels, maps.shape[1] + 2 * padding, maps.shape[2] + 2 * padding))
    padded[:, padding : padding + maps.shape[1], padding : padding + maps.shape[2]] = maps
    height, width = (padded.shape[1] - kh) // stride + 1, (padded.shape[2] - kw) // stride + 1
    result = np.zeros((out, height, width))
    for o in range(out):
        for i in range(height):
            for j in range(width):
                patch = padded[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
                result[o, i, j] = (patch * weight[o]).sum() + (0 if bias is None else bias[o])
    return result


def spread_out(maps, weight, bias, stride, padding):
    """The transposed convolution: every cell throws its kernel onto the result; weight (in, out, kh, kw)."""
    channels, out, kh, kw = weight.shape
    height, width = (maps.shape[1] - 1) * stride + kh, (maps.shape[2] - 1) * stride + kw
    result = np.zeros((out, height, width))
    for c in range(channels):
        for i in range(maps.shape[1]):
            for j in range(maps.shape[2]):
                result[:, i * stride : i * stride + kh, j * stride : j * stride + kw] += (
                    maps[c, i, j] * weight[c]
                )
    return result[:, padding : height - padding, padding : width - padding] + bias[:, None, None]


def normalised(maps, mean, variance, weight, bias, eps=1e-5):
    """BatchNorm with given statistics, channel by channel."""
    return np.stack(
        [(each - mean[c]) / math.sqrt(variance[c] + eps) * weight[c] + bias[c] for c, each in enumerate(maps)]
    )


def averaged(maps, height, width):
    """Averages over the blocks floor(i H / h) ... ceil((i + 1) H / h) of rows, and of columns alike."""
    result = np.zeros((len(maps), height, width))
    for i in range(height):
        for j in range(width):
            top, bottom = math.floor(i * maps.shape[1] / height), math.ceil((i + 1) * maps.shape[1] / height)
            left, right = math.floor(j * maps.shape[2] / width), math.ceil((j + 1) * maps.shape[2] / width)
            result[:, i, j] = maps[:, top:bottom, left:right].mean(axis=(1, 2))
    return result


def repeated(maps, height, width):
    """The nearest cell at or before, as public code enlarges."""
    rows = [i * maps.shape[1] // height for i in range(height)]
    columns = [j * maps.shape[2] // width for j in range(width)]
    return maps[:, rows][:, :, columns]


def activation_boundary(students, teachers, margin):
    """`students`: the connectors' outputs, layer by layer of one image."""
    total = 0.0
    for layer, (student, teacher) in enumerate(zip(students, teachers, strict=True)):
        weight = 2.0 ** (layer - len(students) + 1)
        for s, t in zip(student.ravel(), teacher.ravel(), strict=True):
            if t <= 0 and s > -margin:
                total += weight * (s + margin) ** 2
            if t > 0 and s <= margin:
                total += weight * (s - margin) ** 2
    return total / 1000 * 3


def mean_below_zero(mean, deviation):
    """∫ x p(x) dx / ∫ p(x) dx over x < 0 for normal p."""

    def density(x):
        return math.exp(-(((x - mean) / deviation) ** 2) / 2)

    low = min(mean, 0.0) - 40 * deviation
    peak = [min(mean, 0.0)] if low < min(mean, 0.0) < 0 else None
    options = {"points": peak, "limit": 500, "epsabs": 0, "epsrel": 1e-12}
    weighted, mass = (quad(f, low, 0.0, **options)[0] for f in (lambda x: x * density(x), density))
    return weighted / mass


def released_margin(mean, deviation):
    below = 0.5 * math.erfc(mean / deviation / math.sqrt(2))
    return mean_below_zero(mean, deviation) if below > 0.001 else -3 * deviation


def overhaul(students, teachers, norms):
    """As `activation_boundary`; `norms`: (mean, deviation) of the channels, layer by layer."""
    total = 0.0
    for layer, (student, teacher, norm) in enumerate(zip(students, teachers, norms, strict=True)):
        weight = 2.0 ** (layer - len(students) + 1)
        for c, channel in enumerate(student):
            lowest = released_margin(norm[0][c], norm[1][c])
            for s, t in zip(channel.ravel(), teacher[c].ravel(), strict=True):
                target = max(t, lowest)
                if not s <= target <= 0:
                    total += weight * (s - target) ** 2
    return total / 1000


def hcl(student, teacher):
    weight, whole = 1.0, 1.0
    total = ((student - teacher) ** 2).mean()
    for level in (4, 2, 1):
        if level < student.shape[1]:
            weight /= 2
            whole += weight
            total += (
                weight * ((averaged(student, level, level) - averaged(teacher, level, level)) ** 2).mean()
            )
    return total / whole


def review(students, teachers, fusions):
    """`fusions`: of every layer the functions narrow and compared and, but for the deepest, attention's weights."""
    passed, total = None, 0.0
    for student, teacher, (narrow, attention, compared) in reversed(
        list(zip(students, teachers, fusions, strict=True))
    ):
        mixed = narrow(student)
        if attention is not None:
            enlarged = repeated(passed, *mixed.shape[1:])
            both = np.concatenate([mixed, enlarged])
            first, second = 1 / (1 + np.exp(-convolved(both, *attention)))
            mixed = first * mixed + second * enlarged
        passed = repeated(mixed, *teacher.shape[1:])
        total += hcl(compared(passed), teacher)
    return total

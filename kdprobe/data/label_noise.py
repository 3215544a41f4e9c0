"""Wrong labels on purpose: a share of the training images gets the label of another class."""

import hashlib
from typing import Any

from kdprobe.data.images import LabelledImages
from kdprobe.errors import ConfigError


def check_label_noise(share: Any) -> float:
    """`share` if it is a number from 0 to 1."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise ConfigError(f"label_noise must be a share from 0 to 1, got {share!r}.")
    return float(share)


def with_wrong_labels(data: LabelledImages, share: float, seed: int) -> LabelledImages:
    """`data` in which round(share * N) images have the label of another class, each equally likely.

    Which images and which labels depends on the ids and `seed` alone: a larger share keeps the wrong labels
    of a smaller one. `options` (and so `describe()`) gains `label_noise` and the number of `wrong_labels`.
    ConfigError if there is one class only.
    """
    check_label_noise(share)
    others = len(data.classes) - 1
    if others == 0:
        raise ConfigError(f"label_noise needs two classes or more; {data.name} was loaded with one.")
    drawn = [hashlib.sha256(f"label noise/{seed}/{identity}".encode()).digest() for identity in data.ids]
    wrong = sorted(range(len(data)), key=lambda i: drawn[i])[: round(share * len(data))]
    labels = data.labels.clone()
    for i in wrong:
        step = 1 + int.from_bytes(drawn[i][16:], "big") % others
        labels[i] = (labels[i] + step) % len(data.classes)
    return data.replaced(
        labels=labels, options={**data.options, "label_noise": share, "wrong_labels": len(wrong)}
    )

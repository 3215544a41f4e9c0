"""Handwritten digits among fragments of other digits on a textured background: the embedded default."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from kdprobe.data.asked import Asked
from kdprobe.data.choosing import choose_classes
from kdprobe.data.clutter import Clutter, paint
from kdprobe.data.images import LabelledImages
from kdprobe.errors import ConfigError

IMAGES_PER_CLASS = {"train": 600, "test": 100}
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


def cluttered_digits(
    asked: Asked,
    *,
    digit_size: tuple[float, float] = Clutter.digit_size,
    digit_contrast: tuple[float, float] = Clutter.digit_contrast,
    fragments: int = Clutter.fragments,
    fragment_size: tuple[float, float] = Clutter.fragment_size,
    texture: float = Clutter.texture,
) -> LabelledImages:
    """Cluttered digits: a demo and test bed on which a comparison of networks is alive; not a benchmark.

    One whole handwritten digit (scikit-learn's ``load_digits``, 8 x 8, made larger) in a random colour, size
    and place; behind it fragments of digits of *other* classes, in random colours, on smooth coloured noise.
    So there is something to learn on the foreground and something to unlearn on the background, small
    networks get better over minutes on a processor, and the foreground (the stroke: pixels that the digit
    covers by more than half) is known exactly. Sizes are in pixels of a 32 x 32 image and grow with
    `image_size` (default 32).

    600 images per class for "train", 100 for "test", or `images_per_class`; both splits draw from different
    handwritten digits (every fifth of a class is kept for "test"). The same arguments give the same bytes.
    `classes`: digits, as text. `digit_contrast` and `texture` are in units of full brightness (0 ... 1).
    """
    if asked.root is not None:
        raise ConfigError(
            f"cluttered_digits is made in memory and takes no `root`, got {str(asked.root)!r}; leave it out."
        )
    split, classes, size = asked.split, asked.classes, asked.image_size or 32
    clutter = Clutter(tuple(digit_size), tuple(digit_contrast), fragments, tuple(fragment_size), texture)
    chosen = choose_classes([str(d) for d in range(10)], None if classes is None else _texts(classes))
    per_class = asked.images_per_class or IMAGES_PER_CLASS[split]
    digits, labels = handwritten(split)
    shown = np.tile([int(c) for c in chosen], per_class)
    generator = np.random.Generator(np.random.PCG64([asked.seed, ("train", "test").index(split)]))
    images, strokes, _ = paint(generator, digits, labels, shown, size, clutter)
    return LabelledImages(
        name="cluttered_digits",
        split=split,
        classes=chosen,
        images=images,
        labels=np.tile(np.arange(len(chosen)), per_class),
        ids=[f"{split}/{k:05d}-{digit}" for k, digit in enumerate(shown)],
        foregrounds=strokes if asked.native else None,
        foreground_kind="mask" if asked.native else None,
        mean=MEAN,
        std=STD,
        options={
            "image_size": size,
            "classes": chosen,
            "images_per_class": per_class,
            "seed": asked.seed,
            "foreground": asked.foreground,
            **clutter.describe(),
        },
    )


def handwritten(split: str) -> tuple[np.ndarray, np.ndarray]:
    """((n, 8, 8) float64 in 0 ... 1, (n,) labels): the handwritten digits from which `split` may draw."""
    digits, labels = _all_digits()
    fifth = np.empty(len(labels), dtype=np.int64)
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        fifth[members] = np.arange(len(members)) % 5
    mine = (fifth == 1) if split == "test" else (fifth != 1)
    return digits[mine], labels[mine]


@cache
def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # a second of imports that only this set needs

    bunch = load_digits()
    return bunch.images / 16.0, bunch.target


def _texts(classes: int | Sequence[str]) -> int | list[str]:
    return classes if isinstance(classes, int | str) else [str(c) for c in classes]

"""The embedded set: same bytes, disjoint sources, exact strokes, distractors on the background."""

import hashlib

import numpy as np
import pytest
import torch

from kdprobe.data import load_data
from kdprobe.data.clutter import Clutter, paint
from kdprobe.data.cluttered_digits import handwritten
from kdprobe.errors import ConfigError


def few(**options):
    return load_data("cluttered_digits", **{"images_per_class": 4, "seed": 3, **options})


def digest(data):
    raw = (data.images * 0.25 + 0.5).mul(255).round().to(torch.uint8).numpy().tobytes()
    return hashlib.sha256(raw + data.foregrounds.numpy().tobytes()).hexdigest()


def test_same_seed_same_bytes():
    assert digest(few()) == digest(few())
    assert digest(few()) != digest(few(seed=4))
    assert digest(few()) != digest(few(split="test"))


def test_the_bytes_are_those_of_every_machine():
    """Pinned: a change of these bytes changes every number measured on the set, and must be meant."""
    assert digest(few()) == "7a84d5a58546e3e0a8c967a4786c841eddad35b1771878908815987cc59e7b36"


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)
    torch.manual_seed(0)
    before = (np.random.get_state()[1].tobytes(), torch.get_rng_state())
    few()
    assert np.random.get_state()[1].tobytes() == before[0] and torch.equal(torch.get_rng_state(), before[1])


def test_train_and_test_draw_from_different_handwriting():
    (train, train_labels), (test, test_labels) = handwritten("train"), handwritten("test")
    assert len(train) + len(test) == 1797
    assert not {d.tobytes() for d in train} & {d.tobytes() for d in test}
    assert set(train_labels) == set(test_labels) == set(range(10))
    assert 0.18 < len(test) / 1797 < 0.22


def test_default_sizes_and_balance():
    data = load_data("cluttered_digits", split="test")
    assert len(data) == 1000 and data.image_shape == (3, 32, 32) and data.foreground_kind == "mask"
    assert data.labels.bincount().tolist() == [100] * 10
    assert 0.1 < float(data.foregrounds.float().mean()) < 0.25
    assert abs(float(data.images.mean())) < 0.1 and 0.5 < float(data.images.std()) < 1.5
    assert all(int(i.split("-")[1]) == int(label) for i, label in zip(data.ids, data.labels, strict=True))


def test_classes_size_and_central_foreground():
    data = few(classes=["3", "7"], image_size=48, foreground="central")
    assert data.classes == ("3", "7") and data.labels.tolist() == [0, 1] * 4
    assert data.image_shape == (3, 48, 48) and data.foreground_kind == "central"
    assert few(classes=2).classes == ("0", "1")
    assert few(classes=[4]).classes == ("4",)


def plain(**changes):
    """Painted images together with the handwritten digits behind them."""
    digits, labels = handwritten("train")
    shown = np.arange(30) % 10
    clutter = Clutter(**{"digit_size": (24.0, 24.0), "fragments": 0, "texture": 0.0, **changes})
    generator = np.random.Generator(np.random.PCG64(5))
    images, strokes, sources = paint(generator, digits, labels, shown, 32, clutter)
    assert (labels[sources] == shown).all()
    return images, strokes, digits[sources]


def test_the_mask_is_the_stroke_and_nothing_else():
    """On a plain background the mask is where the image is nearer to the digit's colour."""
    images, strokes, _ = plain()
    for image, stroke in zip(images.astype(float), strokes, strict=True):
        background = np.median(image[:, ~stroke], axis=1)
        away = np.abs(image - background[:, None, None]).max(0)
        assert away.max() > 60
        clear = np.abs(away / away.max() - 0.5) > 0.02  # rounding to bytes
        np.testing.assert_array_equal((away > away.max() / 2)[clear], stroke[clear])


def test_the_stroke_looks_like_the_handwritten_digit():
    """Averaged back over 3 x 3 blocks (24 px / 8), at its place, the stroke is the handwritten digit."""
    _, strokes, digits = plain()
    for stroke, digit in zip(strokes.astype(float), digits, strict=True):
        best = -1.0
        for top in range(9):
            for left in range(9):
                blocks = stroke[top : top + 24, left : left + 24].reshape(8, 3, 8, 3).mean((1, 3))
                best = max(best, np.corrcoef(blocks.ravel(), digit.ravel())[0, 1])
        assert best > 0.8


def unrest(images, strokes):
    """Per image: the largest distance from the background's median, two or more pixels off the stroke."""
    values = []
    for image, stroke in zip(images.astype(float), strokes, strict=True):
        padded = np.pad(stroke, 2)
        near = np.any([padded[r : r + 32, c : c + 32] for r in range(5) for c in range(5)], axis=0)
        background = image[:, ~near]
        values.append(np.abs(background - np.median(background, axis=1)[:, None]).max())
    return np.array(values)


def test_fragments_and_texture_lie_on_the_background():
    bare, textured, strewn = (unrest(*plain(**c)[:2]) for c in ({}, {"texture": 0.15}, {"fragments": 4}))
    assert bare.max() < 90 and np.median(bare) == 0  # faint ink that is no stroke
    assert np.median(textured) > 15
    assert np.median(strewn) > 80


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"root": "/somewhere"}, "root"),
        ({"digit_size": (20, 40)}, "digit_size"),
        ({"fragments": -1}, "fragments"),
        ({"texture": 2.0}, "texture"),
        ({"fragment_size": (7, 5)}, "fragment_size"),
        ({"classes": ["11"]}, "'11'"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_that_cannot_be_used(options, word):
    with pytest.raises(ConfigError) as error:
        few(**options)
    assert word in str(error.value)

"""Wrong labels on purpose: how many, which, and where it is written down."""

import json

import numpy as np
import pytest

from kdprobe.data import LabelledImages, load_data
from kdprobe.data.label_noise import with_wrong_labels
from kdprobe.errors import ConfigError


def many(count=600, classes=5):
    return LabelledImages(
        name="toy",
        images=np.zeros((count, 1, 4, 4), dtype=np.uint8),
        labels=np.arange(count) % classes,
        ids=[f"i{k}" for k in range(count)],
        classes=[str(k) for k in range(classes)],
    )


@pytest.mark.parametrize("share", [0.0, 0.1, 0.333, 1.0])
def test_exactly_that_share_is_wrong(share):
    data = many()
    noisy = with_wrong_labels(data, share, seed=3)
    assert int((noisy.labels != data.labels).sum()) == round(share * 600) == noisy.options["wrong_labels"]
    assert noisy.ids == data.ids and int(noisy.labels.min()) >= 0 and int(noisy.labels.max()) < 5


def test_the_other_classes_are_equally_likely():
    data = many(4000)
    steps = (with_wrong_labels(data, 1.0, seed=0).labels - data.labels) % 5
    counts = steps.bincount(minlength=5).numpy()
    assert counts[0] == 0 and np.abs(counts[1:] - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_seed_and_ids_decide_and_more_noise_holds_less_noise():
    data = many()
    few, more, other = (
        with_wrong_labels(data, share, seed).labels for share, seed in ((0.1, 1), (0.3, 1), (0.1, 2))
    )
    wrong = few != data.labels
    assert bool((few[wrong] == more[wrong]).all()) and not bool((few == other).all())
    order = list(range(599, -1, -1))
    turned = data.replaced(labels=data.labels[order], ids=[data.ids[k] for k in order])
    assert with_wrong_labels(turned, 0.1, 1).labels.tolist() == few[order].tolist()


def test_only_the_training_split_and_it_is_recorded():
    options = {"images_per_class": 20, "seed": 4}
    clean, noisy = (load_data("cluttered_digits", label_noise=n, **options) for n in (0.0, 0.25))
    assert int((clean.labels != noisy.labels).sum()) == 50 and bool((clean.images == noisy.images).all())
    described = json.loads(json.dumps(noisy.describe()))
    assert described["options"]["label_noise"] == 0.25 and described["options"]["wrong_labels"] == 50
    assert described["images_by_class"] == noisy.labels.bincount().tolist()
    assert "label_noise" not in clean.describe()["options"]
    tests = [load_data("cluttered_digits", split="test", label_noise=n, **options) for n in (0.0, 0.25)]
    assert tests[0].labels.tolist() == tests[1].labels.tolist() and "label_noise" not in tests[1].options


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "0.2", float("nan")])
def test_a_share_that_cannot_be_used(share):
    with pytest.raises(ConfigError, match="label_noise"):
        load_data("cluttered_digits", label_noise=share)


def test_one_class_cannot_be_mislabelled():
    with pytest.raises(ConfigError, match="two classes"):
        with_wrong_labels(many(10, 1), 0.5, seed=0)

import pytest
import torch

from kdprobe.errors import InputError
from kdprobe.metrics import effective_samples


def maps(epochs=4, images=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    entropy = torch.randn(epochs, images, 3, 3, generator=generator, dtype=torch.float64)
    foreground = torch.rand(images, 3, 3, generator=generator) < 0.5
    foreground[:, 0, 0], foreground[:, 2, 2] = True, False
    return entropy, foreground


def kept_by_loops(entropy, foreground, epochs, from_epoch, keep):
    """Image after image, checkpoints from the last to the first, until enough are kept."""
    kept = []
    for image in range(entropy.shape[1]):
        rejected = False
        for place in reversed(range(len(epochs))):
            if epochs[place] < from_epoch:
                continue
            cells = list(
                zip(
                    entropy[place, image].flatten().tolist(),
                    foreground[image].flatten().tolist(),
                    strict=True,
                )
            )
            inside, outside = [h for h, f in cells if f], [h for h, f in cells if not f]
            if sum(outside) / len(outside) < sum(inside) / len(inside):
                rejected = True
        if not rejected and (keep is None or len(kept) < keep):
            kept.append(image)
    return kept


@pytest.mark.parametrize("from_epoch", [0, 40, 41])
@pytest.mark.parametrize("keep", [3, 50, None])
def test_against_loops(from_epoch, keep):
    entropy, foreground = maps()
    epochs = [0, 40, 70, 150]
    found = effective_samples(entropy, foreground, epochs, from_epoch=from_epoch, keep=keep)
    expected = kept_by_loops(entropy, foreground, epochs, from_epoch, keep)
    assert found.nonzero().flatten().tolist() == expected
    assert 0 < len(expected) < 40


def test_equal_means_are_kept():
    entropy = torch.zeros(1, 1, 2, 2)
    foreground = torch.tensor([[[True, False], [False, False]]])
    assert effective_samples(entropy, foreground, [40]).tolist() == [True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": [0, 1, 2, 3]}, "epochs from 40 on, and the last is 3"),
        ({"epochs": [0, 40]}, "must name the 4 epochs"),
        ({"keep": 0}, "keep must be a whole number of at least 1"),
        ({"foreground": torch.zeros(40, 3, 3, dtype=torch.bool)}, "Image 0 has no foreground cell"),
        ({"foreground": torch.ones(40, 3, 3, dtype=torch.bool)}, "Image 0 has no background cell"),
        ({"entropy_by_epoch": torch.zeros(40, 3, 3)}, "must have the shape"),
    ],
)
def test_unusable_arguments_give_one_sentence(change, words):
    entropy, foreground = maps()
    given = {"entropy_by_epoch": entropy, "foreground": foreground, "epochs": [0, 40, 70, 150]} | change
    with pytest.raises(InputError, match=words):
        effective_samples(**given)

"""Maps that never change, under noise: what it alone gains, loses and shares."""

import math
from statistics import NormalDist

import pytest
import torch
from oracles import knowledge as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import still_maps

MARGIN, NOISE, EPOCHS, REDRAWS = 0.2, 0.05, 4, 3000


def scene():
    """Two images whose background stands at 0 without noise, so that H-bar does; contrasts all over the margin."""
    foreground = torch.zeros(2, 4, 4, dtype=torch.bool)
    foreground[:, 1:3, 1:3] = True
    entropy = torch.zeros(2, 4, 4, dtype=torch.float64)
    entropy[foreground] = -MARGIN + torch.linspace(-0.1, 0.1, 8, dtype=torch.float64)
    return entropy, foreground


def alone(foreground, epochs=EPOCHS):
    """Every epoch and every cell of the foreground has a source of noise of its own."""
    noise = torch.zeros(epochs, 2, epochs * 4, 4, 4)
    for epoch in range(epochs):
        for image in range(2):
            for place, (i, j) in enumerate(foreground[image].nonzero().tolist()):
                noise[epoch, image, 4 * epoch + place, i, j] = NOISE
    return noise


def seen(entropy, foreground, image):
    """Probability that noise leaves each cell of the foreground a concept."""
    contrasts = -entropy[image][foreground[image]] - MARGIN
    return [NormalDist().cdf(contrast / NOISE) for contrast in contrasts.tolist()]


def overlap_of(probabilities):
    """Mean overlap of two independent draws, over all of them but those without any cell."""
    count, total, weight = len(probabilities), 0.0, 0.0
    for one in range(2**count):
        for two in range(2**count):
            if not one | two:
                continue
            chance = math.prod(
                (p if one >> k & 1 else 1 - p) * (p if two >> k & 1 else 1 - p)
                for k, p in enumerate(probabilities)
            )
            total += chance * (one & two).bit_count() / (one | two).bit_count()
            weight += chance
    return total / weight


def test_gains_losses_and_overlap_of_cells_that_err_alone_against_their_probabilities():
    entropy, foreground = scene()
    found = still_maps(
        entropy, alone(foreground), foreground, {"foreground": foreground}, redraws=REDRAWS, seed=0
    )["foreground"]
    assert found.gained.shape == found.lost.shape == (EPOCHS, 2) and found.overlap.shape == (2,)
    assert found.gained[0].isnan().all() and found.lost[0].isnan().all()
    for image in range(2):
        probabilities = seen(entropy, foreground, image)
        expected = oracle.still(probabilities)
        error = 1.5 / REDRAWS**0.5  # 4 cells: a number of them spreads by less than 1
        for changes in (found.gained, found.lost):
            assert changes[1:, image].tolist() == pytest.approx([expected] * (EPOCHS - 1), abs=2 * error)
        assert expected > 0.1
        assert float(found.overlap[image]) == pytest.approx(overlap_of(probabilities), abs=error)


def test_epochs_that_err_alike_show_no_change_and_twins_still_differ():
    entropy, foreground = scene()
    noise = alone(foreground)[:1].expand(EPOCHS, -1, -1, -1, -1)
    found = still_maps(entropy, noise, foreground, {"foreground": foreground}, redraws=20, seed=0)
    assert not found["foreground"].gained[1:].any() and not found["foreground"].lost[1:].any()
    assert bool((found["foreground"].overlap < 0.9).any())


def test_without_noise_nothing_changes_and_twins_are_one():
    entropy, foreground = scene()
    cells = {"foreground": foreground, "background": ~foreground}
    found = still_maps(entropy, 0 * alone(foreground), foreground, cells, redraws=2, seed=0)
    assert not found["foreground"].lost[1:].any() and found["foreground"].overlap.nanmean() == 1
    assert found["background"].overlap.isnan().all()  # no concept there


def test_what_does_not_fit_gives_one_sentence():
    entropy, foreground = scene()
    with pytest.raises(InputError, match=r"\(E, N, R, g, g\)"):
        still_maps(entropy, alone(foreground)[0], foreground, {}, seed=0)
    with pytest.raises(InputError, match="redraws"):
        still_maps(entropy, alone(foreground), foreground, {}, redraws=0, seed=0)

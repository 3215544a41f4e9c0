import pytest
import torch
from oracles import knowledge as oracle
from oracles import metrics as metrics_oracle

from kdprobe.errors import InputError
from kdprobe.metrics import forgetting, learned_sets, stability, stability_so_far

EPOCHS, IMAGES = 5, 20


def scene(seed=0, share=0.15):
    generator = torch.Generator().manual_seed(seed)
    concepts = torch.rand(EPOCHS, IMAGES, 3, 4, generator=generator) < share
    return concepts, torch.rand(IMAGES, 3, 4, generator=generator) < 0.5


def of_image(concepts, image):
    return [epoch[image].tolist() for epoch in concepts]


@pytest.mark.parametrize("initial", [False, True])
def test_gains_and_losses_against_sets_of_cells(initial):
    concepts, cells = scene()
    found = forgetting(concepts, cells, initial)
    for image in range(IMAGES):
        expected = oracle.forgetting(of_image(concepts, image), cells[image].tolist(), initial)
        assert tuple(each[:, image].tolist() for each in found) == expected
    assert found.lost.sum() > 0 and found.gained[1:].sum() > 0


def test_every_epoch_has_what_the_last_had_plus_gains_minus_losses():
    found = forgetting(*scene(1, 0.5))
    assert torch.equal(found.present[1:], found.present[:-1] + found.gained[1:] - found.lost[1:])
    assert torch.equal(found.gained[0], found.present[0])
    assert not found.lost[0].any() and not found.ever[0].any()
    assert bool((found.ever[1:] >= found.present[1:]).all()) and bool((found.ever.diff(dim=0) >= 0).all())


def test_a_concept_of_the_initial_weights_alone_was_never_learned():
    concepts = torch.zeros(3, 1, 2, 2, dtype=torch.bool)
    concepts[0, 0, 0, 0] = concepts[1, 0, 1, 1] = True
    everywhere = torch.ones(1, 2, 2, dtype=torch.bool)
    assert forgetting(concepts, everywhere).ever[:, 0].tolist() == [0, 1, 1]
    assert forgetting(concepts, everywhere, initial=True).ever[:, 0].tolist() == [1, 2, 2]


def test_sets_against_sets_of_cells_and_their_sizes_make_up_rho():
    concepts, cells = scene(2)
    found = learned_sets(concepts, cells)
    everywhere = torch.ones_like(cells)[0].tolist()
    for image in range(IMAGES):
        expected = oracle.learned_kept_discarded(of_image(concepts, image), cells[image].tolist())
        assert tuple(oracle.cell_set(each[image].tolist(), everywhere) for each in found) == expected
    assert torch.equal(found.learned, found.kept | found.discarded)
    assert not bool((found.kept & found.discarded).any())
    learned, kept, _ = (each.sum((-2, -1)) for each in found)
    rho = stability(concepts, cells).per_image
    assert torch.equal((kept / learned.double()).nan_to_num(-1), rho.nan_to_num(-1))
    assert torch.equal(forgetting(concepts, cells, initial=True).ever[-1], learned)


@pytest.mark.parametrize("empty", ["skip", "zero"])
def test_stability_so_far_is_rho_of_a_training_that_ends_there(empty):
    concepts, cells = scene(3)
    found = stability_so_far(concepts, cells, empty)
    assert found.shape == (EPOCHS, IMAGES)
    for last in range(EPOCHS):
        expected = [
            metrics_oracle.stability(of_image(concepts[: last + 1], image), cells[image].tolist(), empty)
            for image in range(IMAGES)
        ]
        assert found[last].tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("measure", [forgetting, learned_sets, stability_so_far])
@pytest.mark.parametrize(
    "shape, dtype, words",
    [
        ((4, 3, 2, 2), torch.float64, "concepts_by_epoch must be a bool tensor"),
        ((3, 2, 2), torch.bool, r"\((E|M), N, g, g\)"),
        ((0, 3, 2, 2), torch.bool, "≥ 1"),
        ((4, 5, 2, 2), torch.bool, r"must have the shape \(5, 2, 2\); got \(3, 2, 2\)"),
    ],
)
def test_other_shapes_give_one_sentence(measure, shape, dtype, words):
    with pytest.raises(InputError, match=words):
        measure(torch.zeros(shape, dtype=dtype), torch.ones(3, 2, 2, dtype=torch.bool))

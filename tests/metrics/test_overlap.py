import pytest
import torch
from oracles import knowledge as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import chance_overlap, concept_overlap, first_epoch, who_first

IMAGES = 25


def maps(seed, *leading, share=0.2):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*leading, IMAGES, 3, 3, generator=generator) < share


CELLS = maps(0, share=0.6)
EVERYWHERE = torch.ones(IMAGES, 3, 3, dtype=torch.bool)


def test_overlap_against_sets_of_cells_at_every_epoch():
    by_epoch, last = maps(1, 4), maps(2)
    found = concept_overlap(by_epoch, last, CELLS)
    expected = [
        [oracle.overlap(concepts[i].tolist(), last[i].tolist(), CELLS[i].tolist()) for i in range(IMAGES)]
        for concepts in by_epoch
    ]
    assert found.shape == (4, IMAGES) and 0 < found.isnan().sum() < 50
    for row, values in zip(found.tolist(), expected, strict=True):
        assert row == pytest.approx(values, nan_ok=True)


def test_overlap_is_symmetric_1_with_itself_and_0_with_what_is_left():
    one, two = maps(3), maps(4)
    one[:, 0, 0] = True
    assert concept_overlap(one, one, EVERYWHERE).tolist() == [1.0] * IMAGES
    assert concept_overlap(one, ~one, EVERYWHERE).tolist() == [0.0] * IMAGES
    assert torch.equal(concept_overlap(one, two, EVERYWHERE), concept_overlap(two, one, EVERYWHERE))


def test_chance_overlap_is_the_mean_over_all_ways_to_lay_one_of_the_sets():
    one, two = maps(5, share=0.4), maps(6, share=0.3)
    found = chance_overlap(one, two, CELLS).tolist()
    sizes = [[int((each[i] & CELLS[i]).sum()) for each in (EVERYWHERE, one, two)] for i in range(IMAGES)]
    assert found == pytest.approx([oracle.chance_overlap(*size) for size in sizes], nan_ok=True)


def test_chance_overlap_keeps_the_epochs_apart():
    by_epoch, last = maps(7, 3), maps(8)
    found = chance_overlap(by_epoch, last, CELLS)
    for concepts, row in zip(by_epoch, found, strict=True):
        alone = chance_overlap(concepts, last, CELLS)
        assert torch.equal(row.nan_to_num(-1), alone.nan_to_num(-1))


def test_the_first_epoch_is_named_by_its_number_and_never_is_minus_one():
    concepts = torch.zeros(3, 1, 2, 2, dtype=torch.bool)
    concepts[0, 0, 0, 0] = concepts[2, 0, 0, 0] = concepts[2, 0, 0, 1] = concepts[1, 0, 1, 0] = True
    assert first_epoch(concepts, (0, 2, 5)).tolist() == [[[0, 5], [2, -1]]]


def test_who_had_shared_concepts_first_against_loops():
    one, other = maps(9, 4, share=0.4), maps(10, 3, share=0.4)
    epochs, other_epochs = (1, 2, 3, 4), (2, 4, 9)
    found = who_first(one, epochs, other, other_epochs, CELLS)
    expected = [
        oracle.who_first(
            [epoch[i].tolist() for epoch in one],
            epochs,
            [epoch[i].tolist() for epoch in other],
            other_epochs,
            CELLS[i].tolist(),
        )
        for i in range(IMAGES)
    ]
    for place, share in enumerate(found):
        assert share.tolist() == pytest.approx([image[place] for image in expected], nan_ok=True)
        assert share.nansum() > 0
    total = sum(found)
    assert total[~total.isnan()].tolist() == pytest.approx([1.0] * int((~total.isnan()).sum()))
    shared = (found.one_first + found.other_first + found.together).tolist()
    assert shared == pytest.approx(concept_overlap(one[-1], other[-1], CELLS).tolist(), nan_ok=True)


def test_a_network_looked_at_less_often_is_not_later():
    """The same network twice, once at every other epoch: nobody was first."""
    one = maps(13, 10, share=0.1).cumsum(0) > 0
    numbers = list(range(1, 11))
    for sparse in (slice(1, None, 2), slice(0, None, 3), [0, 9]):
        chosen = numbers[sparse] if isinstance(sparse, slice) else [numbers[k] for k in sparse]
        for found in (
            who_first(one, numbers, one[sparse], chosen, EVERYWHERE),
            who_first(one[sparse], chosen, one, numbers, EVERYWHERE),
        ):
            assert found.one_first.nansum() == found.other_first.nansum() == 0
            assert found.together[~found.together.isnan()].unique().tolist() == [1.0]


@pytest.mark.parametrize("epochs", [(2, 4, 6), (4, 5, 6)])
def test_fewer_than_two_common_epochs_tell_no_order(epochs):
    one, other = maps(14, 3, share=0.4), maps(15, 3, share=0.4)
    found = who_first(one, (1, 3, 4), other, epochs, CELLS)
    for share in (found.one_first, found.other_first, found.together):
        assert share.isnan().all()
    alone = found.one_alone + found.other_alone
    shared = concept_overlap(one[-1], other[-1], CELLS)
    assert alone.tolist() == pytest.approx((1 - shared).tolist(), nan_ok=True)


def test_two_networks_change_places():
    one, other = maps(11, 3, share=0.4), maps(12, 3, share=0.4)
    there = who_first(one, (1, 2, 3), other, (1, 2, 3), CELLS)
    back = who_first(other, (1, 2, 3), one, (1, 2, 3), CELLS)
    for name, mirrored in (
        ("one_first", "other_first"),
        ("together", "together"),
        ("one_alone", "other_alone"),
    ):
        assert torch.equal(getattr(there, name).nan_to_num(-1), getattr(back, mirrored).nan_to_num(-1))


def test_what_does_not_fit_gives_one_sentence():
    with pytest.raises(InputError, match="others must have the shape"):
        concept_overlap(maps(0), maps(0)[:3], CELLS)
    with pytest.raises(InputError, match="cells must have the shape"):
        chance_overlap(maps(0), maps(0), CELLS[:, :2])
    with pytest.raises(InputError, match="concepts must be a bool tensor"):
        concept_overlap(maps(0).double(), maps(0), CELLS)
    with pytest.raises(InputError, match="one of the 2 epochs for each"):
        first_epoch(maps(0, 3), (0, 1))
    with pytest.raises(InputError, match=r"\(E, N, g, g\)"):
        first_epoch(maps(0), range(IMAGES))
    for epochs in ((0, 2, 1), (0, 1, 1), (-1, 0, 1)):
        with pytest.raises(InputError, match="rising numbers of 0 or more"):
            first_epoch(maps(0, 3), epochs)

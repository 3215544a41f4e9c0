import pytest
import torch
from oracles import knowledge as oracle

from kdprobe.errors import InputError
from kdprobe.metrics import seed_agreement

IDS = (["a", "b", "c", "d", "e"], ["c", "a", "x", "e"], ["e", "d", "y", "c", "a", "z"])


def scene(share=0.3):
    generator = torch.Generator().manual_seed(0)
    concepts = [torch.rand(len(ids), 3, 3, generator=generator) < share for ids in IDS]
    cells = [torch.rand(len(ids), 3, 3, generator=generator) < 0.7 for ids in IDS]
    return concepts, cells


def test_images_are_matched_by_name_over_all_pairs_of_seeds():
    concepts, cells = scene()
    overlap, chance = seed_agreement(concepts, cells, IDS)
    seeds = [
        {name: (maps[i].tolist(), masks[i].tolist()) for i, name in enumerate(ids)}
        for ids, maps, masks in zip(IDS, concepts, cells, strict=True)
    ]
    expected = oracle.agreement(seeds)
    assert set(expected) == {"a", "c", "d", "e"} and len(chance) == 4
    assert overlap.tolist() == pytest.approx(list(expected.values()), nan_ok=True)


def test_chance_is_the_mean_over_the_same_pairs():
    concepts, _ = scene()
    concepts[0][4] = concepts[1][3] = False  # image e: nothing in two of three seeds
    cells = [torch.ones_like(each) for each in concepts]
    overlap, chance = seed_agreement(concepts, cells, IDS)
    for place, name in enumerate(["a", "c", "e", "d"]):
        sizes = [int(concepts[s][ids.index(name)].sum()) for s, ids in enumerate(IDS) if name in ids]
        pairs = [(x, y) for i, x in enumerate(sizes) for y in sizes[i + 1 :] if x + y]
        expected = [oracle.chance_overlap(9, *pair) for pair in pairs]
        assert chance[place].item() == pytest.approx(sum(expected) / len(expected))
    assert overlap[2] == 0


def test_equal_seeds_agree_and_an_image_without_concepts_has_no_value():
    maps = torch.zeros(2, 2, 2, dtype=torch.bool)
    maps[0, 0, 0] = True
    everywhere = [torch.ones_like(maps)] * 3
    overlap, chance = seed_agreement([maps] * 3, everywhere, [["one", "none"]] * 3)
    assert overlap[0] == 1 and chance[0] == pytest.approx(0.25)
    assert overlap[1].isnan() and chance[1].isnan()


def test_one_seed_or_no_common_image_has_no_agreement():
    concepts, cells = scene()
    for count, ids in ((1, IDS), (2, (IDS[0], ["p", "q", "r", "s"]))):
        overlap, chance = seed_agreement(concepts[:count], cells[:count], ids[:count])
        assert overlap.shape == chance.shape == (0,) and overlap.dtype is torch.float64


def test_what_does_not_fit_gives_one_sentence():
    concepts, cells = scene()
    with pytest.raises(InputError, match="got 3, 2 and 3 of them"):
        seed_agreement(concepts, cells[:2], IDS)
    with pytest.raises(InputError, match="cells must have the shape"):
        seed_agreement(concepts, cells[::-1], IDS)
    with pytest.raises(InputError, match="4 different names"):
        seed_agreement(concepts, cells, (["a", "a", "b", "c", "d"], *IDS[1:]))
    with pytest.raises(InputError, match="5 different names"):
        seed_agreement(concepts, cells, (*IDS[:2], ["a", "b", "c", "d", "e"]))

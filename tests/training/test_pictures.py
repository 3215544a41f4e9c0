"""What is done to images, held against loops over single pixels."""

import numpy as np
import pytest
import torch

from kdprobe.training.pictures import on_foreground, partners, shifted, shifts


def test_the_background_becomes_the_mean_and_the_foreground_stays():
    generator = torch.Generator().manual_seed(0)
    images, masks = (
        torch.randn(3, 2, 4, 5, generator=generator),
        torch.rand(3, 4, 5, generator=generator) < 0.5,
    )
    seen = on_foreground(images, masks)
    for b, c, y, x in np.ndindex(3, 2, 4, 5):
        assert seen[b, c, y, x] == (images[b, c, y, x] if masks[b, y, x] else 0.0)


def test_a_shift_moves_down_and_right_and_reflects_at_the_border():
    """numpy pads by reflection; the window then starts where the image has moved from."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 2, 8, 16, generator=generator)
    down, right = torch.tensor([0, 1, -1, 3, -3, 0]), torch.tensor([0, 0, 2, -2, 4, -4])
    moved = shifted(images, down, right)
    for b in range(6):
        padded = np.pad(images[b].numpy(), ((0, 0), (4, 4), (4, 4)), mode="reflect")
        top, left = 4 - int(down[b]), 4 - int(right[b])
        assert np.array_equal(moved[b].numpy(), padded[:, top : top + 8, left : left + 16])


def test_an_image_is_mirrored_before_it_is_shifted():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 2, 6, 8, generator=generator)
    down, right = torch.tensor([0, 1, -1, 2]), torch.tensor([3, 0, -2, 1])
    mirrored = torch.tensor([True, False, True, True])
    flipped = torch.stack([image.flip(-1) if m else image for image, m in zip(images, mirrored, strict=True)])
    assert torch.equal(shifted(images, down, right, mirrored), shifted(flipped, down, right))


def test_shifts_reach_an_eighth_of_the_side_and_every_one_is_as_likely():
    drawn = shifts(7000, 24, torch.Generator().manual_seed(1))
    counts = [int((drawn == place).sum()) for place in range(-3, 4)]
    assert sum(counts) == 7000 and all(abs(count - 1000) < 150 for count in counts)
    assert shifts(50, 7, torch.Generator().manual_seed(1)).abs().sum() == 0


def test_a_partner_is_another_image_of_the_same_class():
    labels = torch.randint(0, 7, (300,), generator=torch.Generator().manual_seed(3))
    found = partners(labels, torch.Generator().manual_seed(4))
    for image, partner in enumerate(found.tolist()):
        assert labels[partner] == labels[image] and partner != image


def test_the_only_image_of_its_class_is_its_own_partner():
    labels = torch.tensor([5, 1, 1, 9, 5, 0])
    assert [partners(labels, torch.Generator().manual_seed(k)).tolist() for k in range(2)] == [
        [4, 2, 1, 3, 0, 5]
    ] * 2


def test_every_other_image_of_the_class_is_as_likely_a_partner():
    labels = torch.tensor([0, 1, 0, 0, 1, 0])
    found = torch.stack([partners(labels, torch.Generator().manual_seed(k)) for k in range(3000)])
    for image in (0, 2, 3, 5):
        counts = torch.bincount(found[:, image], minlength=6).tolist()
        for other in {0, 2, 3, 5} - {image}:
            assert abs(counts[other] - 1000) < 120
        assert counts[image] == counts[1] == counts[4] == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_partners_depend_on_the_generator_alone(seed):
    labels = torch.arange(100) % 4
    one, two = (partners(labels, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, partners(labels, torch.Generator().manual_seed(seed + 7)))

"""What a network gets to see, and in which order."""

import pytest
import torch

from kdprobe.data.normalise import NormalisedRows
from kdprobe.training.batches import Batches
from kdprobe.training.seeds import derive_seed


def numbered(count: int) -> torch.Tensor:
    """(count, 1, 2, 3) images that carry their own number; columns differ, so that a mirrored one shows."""
    return torch.arange(count).float().reshape(-1, 1, 1, 1) + torch.tensor([0.0, 0.1, 0.2]).expand(
        count, 1, 2, 3
    )


def epoch(batches: Batches, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    batches.set_epoch(number)
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def test_every_image_once_with_its_label():
    batches = Batches(numbered(10), torch.arange(10) * 7, 4, seed=1)
    images, labels = epoch(batches, 0)
    assert torch.equal(images[:, 0, 0, 0].sort().values, torch.arange(10.0))
    assert torch.equal(labels, images[:, 0, 0, 0].long() * 7)
    assert [len(labels) for _, labels in batches] == [4, 4, 2] and len(batches) == 3


def test_the_order_depends_on_seed_and_epoch_only():
    def order(seed: int, number: int) -> list[int]:
        return epoch(Batches(numbered(10), torch.arange(10), 4, seed=seed), number)[1].tolist()

    torch.manual_seed(1)
    first = order(3, 0)
    torch.manual_seed(2)
    assert order(3, 0) == first
    assert order(3, 1) != first and order(4, 0) != first


def test_the_batch_size_does_not_change_the_order():
    small, large = (epoch(Batches(numbered(10), torch.arange(10), size, seed=3), 2)[1] for size in (2, 5))
    assert torch.equal(small, large)


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 4]), (8, [4, 4]), (10, [4, 4, 2]), (1, [1]), (5, [4])])
def test_a_last_batch_of_one_image_is_left_out(count, sizes):
    batches = Batches(numbered(count), torch.arange(count), 4, seed=1)
    assert [len(labels) for _, labels in batches] == sizes and len(batches) == len(sizes)


def test_batches_of_one_image_are_possible_when_asked_for():
    batches = Batches(numbered(3), torch.arange(3), 1, seed=1)
    assert len(list(batches)) == len(batches) == 3


def test_flips_mirror_about_half_of_the_images_and_leave_the_data_alone():
    data = numbered(400)
    plain, _ = epoch(Batches(data, torch.arange(400), 50, seed=1), 0)
    flipped, labels = epoch(Batches(data, torch.arange(400), 50, seed=1, flips=True), 0)
    mirrored = (flipped != plain).flatten(1).any(1)
    assert torch.equal(flipped[mirrored], plain[mirrored].flip(-1))
    assert torch.equal(labels, plain[:, 0, 0, 0].long())  # the order is the same with and without flips
    assert 150 < int(mirrored.sum()) < 250
    assert torch.equal(data, numbered(400))


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_rows_that_are_normalised_batch_by_batch_are_bitwise_those_normalised_at_once(kind):
    pixels = torch.randint(0, 256, (50, 3, 7, 9), generator=torch.Generator().manual_seed(0)).to(kind)
    pixels = pixels if kind == torch.uint8 else pixels / 255
    rows = NormalisedRows(pixels, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    before = pixels.clone()
    batch_by_batch, at_once = (
        epoch(Batches(images, torch.arange(50), 8, seed=2, flips=True), 3) for images in (rows, rows[:])
    )
    assert all(torch.equal(a, b) for a, b in zip(batch_by_batch, at_once, strict=True))
    assert torch.equal(pixels, before)  # flips leave the data alone


def test_order_and_flips_have_streams_of_their_own():
    def stream(purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(4, purpose, 2))

    images, labels = epoch(Batches(numbered(20), torch.arange(20), 8, seed=4, flips=True), 2)
    assert torch.equal(labels, torch.randperm(20, generator=stream("order")))
    mirrored = images[:, 0, 0, 0] > images[:, 0, 0, 2]
    assert torch.equal(mirrored, (torch.rand(20, generator=stream("flips")) < 0.5)[labels])


def test_flips_differ_between_epochs_and_repeat_with_the_seed():
    def mirrored(seed: int, number: int) -> list[int]:
        images, labels = epoch(Batches(numbered(50), torch.arange(50), 8, seed=seed, flips=True), number)
        return sorted(labels[images[:, 0, 0, 0] > images[:, 0, 0, 2]].tolist())

    assert mirrored(1, 0) == mirrored(1, 0)
    assert mirrored(1, 0) != mirrored(1, 1) and mirrored(1, 0) != mirrored(2, 0)

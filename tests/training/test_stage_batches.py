"""What a step gets beside images and labels."""

import torch

from kdprobe.recipes import Stage, Term
from kdprobe.training.batches import Batches
from kdprobe.training.stage_batches import StageBatches

PAIRS = Stage("pairs", (Term("class_wise"),), batches="class_pairs")
VIEWS = Stage("views", (Term("view_consistency"),), view=True)
PLAIN = Stage("plain", (Term("cross_entropy"),))


def numbered(count: int, flips: bool = False, seed: int = 1) -> Batches:
    """Images (1, 8, 8) that carry their own number, one column brighter than the other; three classes."""
    images = torch.arange(count).float().reshape(-1, 1, 1, 1) + torch.linspace(0, 0.7, 8).expand(
        count, 1, 8, 8
    )
    return Batches(images, torch.arange(count) % 3, 4, seed=seed, flips=flips)


def epoch(stage: Stage, number: int, **options) -> list:
    batches = StageBatches(numbered(22, **options), stage)
    batches.set_epoch(number)
    return list(batches)


def test_images_labels_and_order_are_those_of_plain_batches():
    for stage in (PLAIN, PAIRS, VIEWS):
        plain = numbered(22, flips=True)
        plain.set_epoch(3)
        for (images, labels), batch in zip(plain, epoch(stage, 3, flips=True), strict=True):
            assert torch.equal(batch.images, images) and torch.equal(batch.labels, labels)


def test_nothing_is_made_that_no_term_of_the_epoch_takes():
    for stage in (PLAIN, PAIRS, VIEWS):
        batch = epoch(stage, 0)[0]
        assert (batch.partners is None) == (stage is not PAIRS)
        assert (batch.views is None) == (stage is not VIEWS)
        assert batch.teacher_images is None and batch.taught is None
    batches = StageBatches(numbered(22), PAIRS)
    batches.wanted = frozenset({"student_logits"})
    assert next(iter(batches)).partners is None


def test_partners_are_other_images_of_the_class():
    for batch in epoch(PAIRS, 0):
        own, other = batch.images[:, 0, 0, 0].long(), batch.partners[:, 0, 0, 0].long()
        assert torch.equal(own % 3, other % 3) and not (own == other).any()


def test_partners_are_mirrored_like_images_are_each_for_itself():
    found = [batch for number in range(40) for batch in epoch(PAIRS, number, flips=True)]
    own = torch.cat([batch.images[:, 0, 0, 0] > batch.images[:, 0, 0, 7] for batch in found])
    other = torch.cat([batch.partners[:, 0, 0, 0] > batch.partners[:, 0, 0, 7] for batch in found])
    assert abs(float(other.float().mean()) - 0.5) < 0.06
    assert abs(float((own == other).float().mean()) - 0.5) < 0.06
    assert not any((b.partners[:, 0, 0, 0] > b.partners[:, 0, 0, 7]).any() for b in epoch(PAIRS, 0))


def test_a_view_is_the_same_image_mirrored_or_not_and_moved_by_one_pixel_at_most():
    """8 pixels wide: an eighth of the side is one. Every row of an image is the same, so only columns show."""
    seen = set()
    for batch in (batch for number in range(30) for batch in epoch(VIEWS, number)):
        for image, view in zip(batch.images, batch.views, strict=True):
            row, base = view[0, 0] - image[0, 0, 0], torch.linspace(0, 0.7, 8)
            kinds = {}
            for mirrored in (False, True):
                line = base.flip(0) if mirrored else base
                padded = torch.cat([line[1:2], line, line[-2:-1]])
                kinds |= {(mirrored, move): padded[1 - move : 9 - move] for move in (-1, 0, 1)}
            fits = [kind for kind, line in kinds.items() if torch.allclose(row, line, atol=1e-5)]
            assert len(fits) == 1
            seen.add(fits[0])
    assert len(seen) == 6


def test_what_is_drawn_repeats_with_seed_and_epoch_and_differs_otherwise():
    def drawn(stage: Stage, number: int, seed: int) -> torch.Tensor:
        """Apart from the order of the images: each one's partner, or what was done to the first, the second, ..."""
        found = epoch(stage, number, seed=seed)
        if stage is VIEWS:
            return torch.cat([b.views - b.images for b in found]).round(decimals=2)
        own = torch.cat([b.images[:, 0, 0, 0] for b in found])
        other = torch.cat([b.partners[:, 0, 0, 0] for b in found])
        return other[own.argsort()]

    for stage in (PAIRS, VIEWS):
        assert torch.equal(drawn(stage, 2, 1), drawn(stage, 2, 1))
        assert not torch.equal(drawn(stage, 2, 1), drawn(stage, 3, 1))
        assert not torch.equal(drawn(stage, 2, 1), drawn(stage, 2, 5))

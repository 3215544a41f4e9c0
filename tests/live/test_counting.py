"""Counts from one epoch to the next, where images cannot be measured at some."""

import pytest
import torch

from kdprobe.live.counting import CountRules, Counts
from kdprobe.metrics import concept_cells, stability
from kdprobe.records import EntropyResult, Outcome

N, G = 4, 3
RULES = CountRules(redraws=5)
FOREGROUND = torch.zeros(N, G, G, dtype=torch.bool)
FOREGROUND[:, 1] = True


def result(epoch: int, broken: tuple[int, ...] = ()) -> EntropyResult:
    """Random maps with three noise sources; those of `broken` images are missing."""
    generator = torch.Generator().manual_seed(epoch)
    entropy = torch.randn(N, G, G, generator=generator, dtype=torch.float64) / 2
    noise = torch.randn(N, 3, G, G, generator=generator) / 10
    outcome = [Outcome.OK] * N
    for image in broken:
        entropy[image], noise[image] = torch.nan, torch.nan
        outcome[image] = Outcome.NON_FINITE_ACTIVATION
    return EntropyResult(entropy, noise.square().sum(1).sqrt(), tuple(outcome), {}, noise)


def counted(broken: dict[int, tuple[int, ...]], scope: str = "image") -> list[dict[str, torch.Tensor]]:
    """Epochs 0 ... 3."""
    counts = Counts(FOREGROUND, CountRules(redraws=5, scope=scope))
    return [counts.count(result(epoch, broken.get(epoch, ())), epoch).values for epoch in range(4)]


@pytest.mark.parametrize("scope", ["image", "dataset"])
def test_an_image_that_cannot_be_measured_leaves_that_epoch_and_stability_for_good(scope):
    found = counted({2: (1,)}, scope)
    missing = {name: [v[name][:, 1].isnan().all().item() for v in found] for name in found[0]}
    assert missing["n_foreground"] == missing["n_background"] == [False, False, True, False]
    assert missing["stability_so_far"][2:] == [True, True]
    others = torch.tensor([0, 2, 3])
    assert not found[3]["n_foreground"][:, others].isnan().any()


def test_it_changes_nothing_for_the_others():
    """With each image's own background: noise is drawn by place, which the others keep."""
    whole, part = counted({}), counted({1: (0,), 3: (2,)})
    for epoch, (a, b) in enumerate(zip(whole, part, strict=True)):
        gone = {1: [0], 3: [2]}.get(epoch, [])
        for name in a:
            for image in range(N):
                lost = image == 0 and epoch >= 1 and name == "stability_so_far"
                if image in gone or lost:
                    assert b[name][:, image].isnan().all()
                else:
                    assert torch.equal(a[name][:, image].nan_to_num(-1), b[name][:, image].nan_to_num(-1))


def test_a_failure_at_the_initial_weights_costs_nothing_later():
    assert torch.equal(
        counted({0: (3,)})[3]["stability_so_far"].nan_to_num(-1),
        counted({})[3]["stability_so_far"].nan_to_num(-1),
    )


def test_an_epoch_at_which_no_image_can_be_measured_has_no_numbers():
    counts = Counts(FOREGROUND, RULES)
    counts.count(result(1), 1)
    intervals = counts.count(result(2, tuple(range(N))), 2).intervals(RULES)
    assert {interval.n for interval in intervals.values()} == {0}


@pytest.mark.parametrize("initial", [False, True])
def test_stability_so_far_is_rho_of_all_epochs_that_enter(initial):
    """Against `stability` of the maps one after the other; by default epoch 0 enters neither union nor numbers."""
    counts = Counts(FOREGROUND, CountRules(redraws=5, scope="image", initial=initial))
    held = []
    for epoch in range(4):
        found = counts.count(result(epoch), epoch)
        if epoch == 0 and not initial:
            assert found.values["stability_so_far"].isnan().all()
            continue
        held.append(concept_cells(result(epoch).entropy, FOREGROUND, 0.2, "image"))
        expected = stability(torch.stack(held), FOREGROUND).per_image
        assert torch.equal(found.values["stability_so_far"][0].nan_to_num(-1), expected.nan_to_num(-1))
    assert 0 < expected.nanmean() < 1


def test_an_image_lost_at_the_initial_weights_is_lost_if_they_enter():
    counts = Counts(FOREGROUND, CountRules(redraws=5, initial=True))
    counts.count(result(0, (2,)), 0)
    assert counts.count(result(1), 1).values["stability_so_far"][:, 2].isnan().all()

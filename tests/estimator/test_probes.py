"""Probes: sum_k v_k v_kᵀ is the identity on average, whichever way they are chosen."""

import pytest
import torch

from kdprobe.estimator.solvers.probes import choose_probes


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def few_units():
    changes = normal(28, 9)
    changes[:, 6:] = 0
    return changes


def all_units():
    return normal(28, 8)


def dead():
    return torch.zeros(28, 5, dtype=torch.float64)


def no_direction_stands_out():
    return normal(28, 20)


def some_units_rest():
    changes = normal(28, 20)
    changes[:, [3, 11, 12]] = 0
    return changes


def one_direction_stands_out():
    changes = normal(28, 20)
    changes[:, 4] *= 30
    changes[:, 5] -= 0.7 * changes[:, 4]
    return changes


def one_direction_and_resting_units():
    """Those that rest ride along with the random probes alone."""
    changes = one_direction_stands_out()
    changes[:, [0, 19]] = 0
    return changes


def two_directions_of_pairs():
    """The rest of the space holds few directions besides those that the leading ones share units with."""
    changes = 0.01 * normal(28, 6)
    changes[:, 0:2] += normal(28, 1, seed=1)
    changes[:, 2:4] += normal(28, 1, seed=2) * torch.tensor([1.0, -1.0])
    changes[:, 5] = 0
    return changes


def one_more_than_slots():
    return normal(28, 9)


CASES = {
    all_units: (8, 8, 0),
    few_units: (8, 6, 0),
    dead: (8, 1, 0),
    no_direction_stands_out: (8, 0, 20),
    some_units_rest: (8, 0, 17),
    one_direction_stands_out: (8, 1, 19),
    one_direction_and_resting_units: (8, 1, 17),
    two_directions_of_pairs: (4, 2, 3),
    one_more_than_slots: (8, 0, 9),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_products_add_up_to_the_identity(case):
    slots, singled_out, remaining = CASES[case]
    changes, generator = case(), torch.Generator().manual_seed(0)
    total = square = torch.zeros(changes.shape[1], changes.shape[1], dtype=torch.float64)
    times = 1500
    for _ in range(times):
        probes = choose_probes(changes, slots, generator)
        assert (probes.singled_out, probes.remaining) == (singled_out, remaining)
        assert probes.count <= slots
        product = probes.vectors.T @ probes.vectors
        total, square = total + product, square + product**2
    mean = total / times
    error = ((square / times - mean**2).clamp(min=0) / times).sqrt()
    off = mean - torch.eye(len(mean), dtype=torch.float64)
    assert (off.abs() < 4.5 * error + 1e-9).all(), float((off / error.clamp(min=1e-9)).abs().max())


def test_random_probes_are_orthogonal_to_each_other_and_to_those_singled_out():
    changes = one_direction_stands_out()
    probes = choose_probes(changes, 8, torch.Generator().manual_seed(0))
    gram = probes.vectors @ probes.vectors.T
    expected = torch.full((8,), 19 / 7, dtype=torch.float64)
    expected[0] = 1
    torch.testing.assert_close(gram, torch.diag(expected))
    resting = choose_probes(one_direction_and_resting_units(), 8, torch.Generator().manual_seed(0))
    assert (resting.vectors[0, [0, 19]] == 0).all()
    assert (resting.vectors[1:, [0, 19]] != 0).all()
    leading = torch.linalg.svd(changes - changes.mean(0), full_matrices=False)[2][0]
    assert float((probes.vectors[0] @ leading).abs()) == pytest.approx(1)


def test_at_most_half_of_the_slots_are_singled_out():
    directions = torch.linalg.qr(normal(20, 3, seed=1))[0].T
    changes = normal(28, 3) @ directions + 1e-3 * normal(28, 20, seed=2)
    assert choose_probes(changes, 4, torch.Generator().manual_seed(0)).singled_out == 2
    assert choose_probes(changes, 12, torch.Generator().manual_seed(0)).singled_out == 3


def test_a_direction_that_one_half_of_the_noises_made_up_is_not_singled_out():
    changes = normal(28, 30)
    changes[3] += 100 * normal(30, seed=5)  # one outlier among the first half
    assert choose_probes(changes, 8, torch.Generator().manual_seed(0)).singled_out == 0


def test_the_mean_shift_is_no_reason_to_single_out_a_direction():
    changes = normal(28, 30)
    changes += 100 * normal(30, seed=5)
    assert choose_probes(changes, 8, torch.Generator().manual_seed(0)).singled_out == 0


@pytest.mark.parametrize("scale", [1e-18, 1e18])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_directions_do_not_depend_on_the_features_scale(scale, dtype):
    changes = one_direction_stands_out().to(dtype)
    one = choose_probes(changes, 8, torch.Generator().manual_seed(0))
    other = choose_probes(changes * scale, 8, torch.Generator().manual_seed(0))
    assert one.singled_out == other.singled_out == 1
    products = [probes.vectors.T @ probes.vectors for probes in (one, other)]
    torch.testing.assert_close(*products, rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", [no_direction_stands_out, one_direction_stands_out])
def test_the_spread_between_probes_times_the_share_left_out_is_the_variance_of_their_sum(case):
    """Sampling without replacement: a quadratic form's sum over the probes varies less than theirs do one by one."""
    matrix = normal(20, 20, seed=3) @ torch.diag(torch.arange(20.0).double())
    changes, generator = case(), torch.Generator().manual_seed(0)
    sums, claimed = [], []
    for _ in range(3000):
        probes = choose_probes(changes, 12, generator)
        values = ((probes.vectors @ matrix) ** 2).sum(1)
        random = values[probes.singled_out :]
        sums.append(values.sum())
        claimed.append(len(random) * random.var() * probes.unsampled)
    ratio = torch.stack(claimed).mean() / torch.stack(sums).var()
    assert 0.9 < float(ratio) < 1.1


def test_rounding_does_not_turn_probes_round():
    """Units at rest ride along with their own signs: the probes' signs must not hang on the last bits."""
    changes = normal(28, 60)
    changes[:, :30] *= torch.linspace(1, 30, 30).double() ** 2
    changes[:, torch.randperm(60, generator=torch.Generator().manual_seed(0))[:34]] = 0
    changes[:, 0] = 0
    probes = choose_probes(changes, 21, torch.Generator().manual_seed(0)).vectors
    for seed in range(20):
        order = torch.randperm(14, generator=torch.Generator().manual_seed(seed))
        again = choose_probes(
            changes[torch.cat([order, 14 + order])], 21, torch.Generator().manual_seed(0)
        ).vectors
        torch.testing.assert_close(again.T @ again, probes.T @ probes, rtol=0, atol=1e-9)

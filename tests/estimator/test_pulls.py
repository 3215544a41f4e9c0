"""Squared columns of the mean Jacobian and of the Jacobian at noisy points, from few pulls, without bias."""

import pytest
import torch
from oracles.entropy import cell_sums, mean_product

from kdprobe.estimator.cells import CellGrid
from kdprobe.estimator.solvers.probes import Probes
from kdprobe.estimator.solvers.pulls import Pulls

SHAPE = (2, 4, 4)
CELLS = CellGrid(2, 4, 4, device=torch.device("cpu"), dtype=torch.float64)


def normal(*shape, seed=0):
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def unit_probes(count, singled_out=None, remaining=0):
    vectors = torch.eye(count, count + 2, dtype=torch.float64)
    return Probes(vectors, count if singled_out is None else singled_out, remaining)


def pulls_of(count, pairs, **of_probes):
    return Pulls(unit_probes(count, **of_probes), pairs, CELLS, torch.zeros(SHAPE, dtype=torch.float64))


def seen_probes(pulls, pairs, step):
    """(2, pairs): which probe is pulled at the point of every pair and which at its partner."""
    found = []
    for _ in range(0, pairs, step):
        vectors = pulls.next_vectors(step)
        pulls.add(torch.zeros(2 * step, *SHAPE, dtype=torch.float64))
        found.append(vectors.argmax(1).reshape(2, step))
    return torch.cat(found, 1)


@pytest.mark.parametrize("pairs", [4, 6, 9, 24])
def test_two_replicates_of_every_probe_and_never_from_one_pair(pairs):
    """The points of a pair depend on each other: either they make one replicate or they carry different probes."""
    for count in range(1, pairs + 1):
        plus, minus = seen_probes(pulls_of(count, pairs), pairs, 1)
        if count <= pairs // 2:
            assert torch.equal(plus, minus)
            times = torch.bincount(plus, minlength=count)
        else:
            assert (plus != minus).all()
            times = torch.bincount(torch.cat([plus, minus]), minlength=count)
        assert times.min() >= 2
        assert times.max() - times.min() <= 1


def test_cutting_into_refreshes_does_not_change_the_order():
    for count in (3, 9, 12):
        whole = seen_probes(pulls_of(count, 12), 12, 12)
        assert torch.equal(seen_probes(pulls_of(count, 12), 12, 3), whole)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_energies_are_means_over_all_pairs_of_replicates(count):
    pairs = 6
    pulls = pulls_of(count, pairs)
    owners = seen_probes(pulls_of(count, pairs), pairs, 1)
    gradients = normal(2, pairs, *SHAPE)
    for part in (slice(0, 2), slice(2, 6)):
        pulls.next_vectors(part.stop - part.start)
        pulls.add(gradients[:, part].flatten(0, 1))
    product = square = torch.zeros(2, 2, dtype=torch.float64)
    for probe in range(count):
        if count <= pairs // 2:
            replicates = [
                (gradients[0, j] + gradients[1, j]) / 2 for j in range(pairs) if owners[0, j] == probe
            ]
        else:
            replicates = [gradients[s, j] for j in range(pairs) for s in (0, 1) if owners[s, j] == probe]
        single = [gradients[s, j] for j in range(pairs) for s in (0, 1) if owners[s, j] == probe]
        product = product + mean_product(replicates, 2)
        square = square + torch.stack([cell_sums(g * g, 2) for g in single]).mean(0)
        torch.testing.assert_close(pulls.mean_gradients()[probe], torch.stack(replicates).mean(0))
    mean_jacobian, noisy_jacobian = pulls.energies()
    torch.testing.assert_close(mean_jacobian, product)
    torch.testing.assert_close(noisy_jacobian, square)
    torch.testing.assert_close(pulls.so_far(), square)


def test_so_far_stands_for_the_probes_that_had_no_turn_yet():
    """Per kind: those singled out for those singled out, random ones for random ones."""
    pulls = pulls_of(6, 6, singled_out=2, remaining=9)
    pulls.next_vectors(2)
    gradients = normal(4, *SHAPE)
    pulls.add(gradients)  # pairs (0, 1) and (2, 3)
    by_probe = [cell_sums(gradients[i] ** 2, 2) for i in (0, 2, 1, 3)]
    torch.testing.assert_close(
        pulls.so_far(), by_probe[0] + by_probe[1] + 4 * (by_probe[2] + by_probe[3]) / 2
    )


def noisy_pulls(count, pairs, generator, means, linear, curved):
    """J(x')ᵀ v_k = mean_k + linear_k e + curved_k (e² - 1), for a pair with the odd part turned round."""
    pulls = pulls_of(count, pairs, singled_out=count)
    for _ in range(pairs):
        chosen = pulls.next_vectors(1).argmax(1)
        e = normal(3, seed=generator)
        rows = []
        for probe, sign in zip(chosen, (1, -1), strict=True):
            row = means[probe] + sign * torch.einsum("k,kchw->chw", e, linear[probe])
            rows.append(row + torch.einsum("k,kchw->chw", e**2 - 1, curved[probe]))
        pulls.add(torch.stack(rows))
    return pulls


@pytest.mark.slow  # many repetitions
@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_no_bias_and_an_honest_error(count):
    """In the mode of pair means (1, 3) and in the other; the noise of both points of a pair is the same."""
    generator, pairs = torch.Generator().manual_seed(1), 6
    means = normal(count, *SHAPE, seed=2)
    linear, curved = 0.5 * normal(count, 3, *SHAPE, seed=3), 0.2 * normal(count, 3, *SHAPE, seed=4)
    found, claimed = [], []
    for _ in range(600):
        pulls = noisy_pulls(count, pairs, generator, means, linear, curved)
        found.append(torch.stack(pulls.energies()))
        claimed.append(pulls.deviations(0.0).square().sum(0))
    found, claimed = torch.stack(found), torch.stack(claimed).mean(0)
    error = found.std(0) / len(found) ** 0.5
    variance = linear.square().sum(1) + 2 * curved.square().sum(1)  # of every gradient, per pixel
    smooth = sum(cell_sums(mean**2, 2) for mean in means)
    rough = smooth + sum(cell_sums(one, 2) for one in variance)
    assert ((found.mean(0) - torch.stack([smooth, rough])).abs() < 4.5 * error).all()
    ratio = claimed / found[:, 0].var(0)
    assert ratio.mean() > 0.9  # on the safe side with more than two replicates of a probe
    assert ratio.mean() < 3.5


def test_the_error_with_two_replicates_of_independent_points():
    """(Difference of the squares)² / 4 is the variance of their product's expectation for Gaussian noise."""
    generator, found, claimed = torch.Generator().manual_seed(1), [], []
    mean = normal(4, *SHAPE, seed=2)
    for _ in range(2000):
        pulls = pulls_of(4, 4)
        owners = pulls.next_vectors(4).argmax(1)
        pulls.add(mean[owners] + 0.7 * normal(8, *SHAPE, seed=generator))
        found.append(pulls.energies()[0])
        claimed.append(pulls.deviations(0.0).square().sum(0))
    ratio = torch.stack(claimed).mean(0) / torch.stack(found).var(0)
    assert ((ratio > 0.87) & (ratio < 1.13)).all(), ratio


def test_the_error_of_a_sample_of_directions():
    """Random probes without noise of points: the spread between them, less the share that they cover."""
    directions = Probes(torch.eye(4, 9, dtype=torch.float64), 1, 9)
    pulls = Pulls(directions, 4, CELLS, torch.zeros(SHAPE, dtype=torch.float64))
    gradients = normal(4, *SHAPE)
    pulls.add(gradients[pulls.next_vectors(4).argmax(1)])
    squares = torch.stack([cell_sums(g * g, 2) for g in gradients])
    assert directions.unsampled == pytest.approx(1 - 3 / 9)
    expected = 3 * squares[1:].var(0) * (1 - 3 / 9)  # of the sum of three
    for blend in (0.0, 0.4, 1.0):
        torch.testing.assert_close(pulls.deviations(blend).square().sum(0), expected)


def test_points_and_directions_together():
    """With all directions sampled only the points count; with few of many all of the spread, counted once."""
    for remaining in (4, 8, 10**6):
        generator = torch.Generator().manual_seed(3)
        found = []
        for _ in range(400):
            pulls = Pulls(
                Probes(torch.eye(4, 9, dtype=torch.float64), 0, remaining),
                4,
                CELLS,
                torch.zeros(SHAPE, dtype=torch.float64),
            )
            owners = pulls.next_vectors(4).argmax(1)
            pulls.add(normal(8, *SHAPE, seed=generator))
            found.append((pulls.energies()[0], pulls.deviations(0.0).square().sum(0)))
            assert len(owners) == 8
        energies, claimed = (torch.stack(each) for each in zip(*found, strict=True))
        ratio = claimed.mean(0) / energies.var(0)
        assert 0.8 < ratio.mean() < 1.2, remaining

"""Several networks as one target: against searches and textbook algebra, and what must hold."""

import pytest
import torch
from oracles import objectives_ensembles as oracle

from kdprobe.errors import InputError
from kdprobe.objectives import (
    KDCL,
    cross_entropy,
    error_correlation,
    general_weights,
    kdcl_target,
    mean_logits,
    mean_probabilities,
)
from kdprobe.objectives.simplex import best_mixture

LABELS = torch.tensor([0, 4, 2, 2, 1, 3])
TARGETS = {how: lambda z, how=how: kdcl_target(z, LABELS, how) for how in KDCL} | {
    "mean_logits": mean_logits,
    "mean_probabilities": mean_probabilities,
}


def networks(count: int, scale: float = 2.0, seed: int = 0, batch: int = 6, classes: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, batch, classes, generator=generator, dtype=torch.float64)


def losses(target: torch.Tensor) -> torch.Tensor:
    return cross_entropy(target, LABELS)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_naive_and_min_logit_are_the_oracle(count, seed):
    logits = networks(count, seed=seed)
    for how in ("naive", "min_logit"):
        expected = getattr(oracle, how)(logits.tolist(), LABELS.tolist())
        got = kdcl_target(logits, LABELS, how)
        assert torch.allclose(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-12)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("mean", [mean_logits, mean_probabilities])
def test_the_means_are_the_oracle(count, mean):
    logits = networks(count)
    expected = torch.tensor(getattr(oracle, mean.__name__)(logits.tolist()), dtype=torch.float64)
    assert torch.allclose(mean(logits), expected, rtol=1e-12)


def test_the_mean_of_logits_is_the_geometric_and_the_other_the_arithmetic_mean_of_probabilities():
    logits = networks(3)
    p = logits.softmax(dim=2)
    geometric = p.prod(dim=0) ** (1 / 3)
    geometric = geometric / geometric.sum(dim=1, keepdim=True)
    assert torch.allclose(mean_logits(logits).softmax(dim=1), geometric, rtol=1e-12)
    assert torch.allclose(mean_probabilities(logits).exp(), p.mean(dim=0), rtol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("scale", [1.0, 4.0, 15.0])
def test_linear_finds_the_minimum_that_quadratic_programming_finds(count, scale):
    logits = networks(count, scale)
    found = losses(kdcl_target(logits, LABELS, "linear"))
    for row, label in enumerate(LABELS.tolist()):
        expected, _ = oracle.linear_by_search(logits[:, row].tolist(), label)
        assert float(found[row]) == pytest.approx(expected, abs=2e-5)


def test_linear_of_two_networks_is_the_best_of_a_fine_grid():
    logits = networks(2, 3.0, seed=5)
    found = losses(kdcl_target(logits, LABELS, "linear"))
    grid = [
        oracle.linear_by_grid(logits[:, row].tolist(), label) for row, label in enumerate(LABELS.tolist())
    ]
    assert torch.allclose(found, torch.tensor(grid, dtype=torch.float64), atol=2e-5)
    single = torch.stack([losses(z) for z in logits]).amin(dim=0)
    assert int((single - found > 1e-3).sum()) >= 2  # else corners alone would pass


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e3, 1e4])
def test_linear_comes_with_a_proof_of_its_own_optimality(count, scale):
    """For convex f and weights w: f(w) - min f ≤ w·f' - min f', here worked out from the definition."""
    logits = networks(count, scale, seed=2)
    weights = best_mixture(logits, LABELS)
    assert bool((weights >= 0).all())
    assert torch.allclose(weights.sum(dim=1), torch.ones(6, dtype=torch.float64), rtol=1e-12)
    weights.requires_grad_()
    mixed = (weights.T.unsqueeze(2) * (logits - logits.gather(2, LABELS.expand(count, -1)[:, :, None]))).sum(
        dim=0
    )
    (slopes,) = torch.autograd.grad(mixed.logsumexp(dim=1).sum(), weights)
    weights = weights.detach()
    gap = (weights * slopes).sum(dim=1) - slopes.amin(dim=1)
    alone = (weights == 1).any(dim=1)
    assert float(gap[~alone].clamp(min=0).sum()) <= 6 * 1.1e-5
    better = losses((weights.T.unsqueeze(2) * logits).sum(dim=0)) <= losses(
        kdcl_target(logits, LABELS, "naive")
    )
    assert bool(better.all())


@pytest.mark.parametrize("how", ["linear", "min_logit"])
@pytest.mark.parametrize("scale", [1.0, 5.0, 50.0])
def test_no_image_is_worse_off_than_with_the_best_single_network(how, scale):
    for seed in range(10):
        logits = networks(3, scale, seed)
        naive = losses(kdcl_target(logits, LABELS, "naive"))
        assert bool((losses(kdcl_target(logits, LABELS, how)) <= naive + 1e-12).all())


def test_naive_takes_whole_networks_and_min_logit_puts_the_label_at_zero():
    logits = networks(3)
    naive = kdcl_target(logits, LABELS, "naive")
    assert bool((naive == logits).all(dim=2).any(dim=0).all())
    smallest = kdcl_target(logits, LABELS, "min_logit")
    assert torch.equal(smallest.gather(1, LABELS[:, None]), torch.zeros(6, 1, dtype=torch.float64))


def test_of_equally_good_networks_naive_takes_the_first():
    logits = torch.tensor([[[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]]])
    assert torch.equal(kdcl_target(logits, torch.tensor([0]), "naive"), logits[0])
    assert torch.equal(kdcl_target(logits.flip(0), torch.tensor([0]), "naive"), logits[1])


@pytest.mark.parametrize("name", TARGETS)
def test_the_order_of_the_networks_does_not_matter(name):
    logits = networks(3)
    forth, back = (TARGETS[name](z).softmax(dim=1) for z in (logits, logits.flip(0)))
    assert torch.allclose(forth, back, rtol=1e-2 if name == "linear" else 1e-12)
    if name == "linear":  # weights are known to the duality gap only, the loss itself to 1e-5
        assert torch.allclose(losses(TARGETS[name](logits)), losses(TARGETS[name](logits.flip(0))), atol=2e-5)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("count", [1, 3])
def test_networks_that_agree_are_their_own_ensemble(name, count):
    logits = networks(1)
    together = TARGETS[name](logits.expand(count, -1, -1))
    assert torch.allclose(together.softmax(dim=1), logits[0].softmax(dim=1), rtol=1e-12)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("case", ["zero", "huge", "opposite"])
def test_finite_on_zero_and_on_logits_of_1e4(name, case):
    sign = torch.tensor([1.0, -1.0])[torch.arange(30) % 2].reshape(1, 6, 5)
    logits = {"zero": 0 * sign, "huge": 1e4 * sign, "opposite": 1e4 * sign}[case].repeat(3, 1, 1)
    if case == "opposite":
        logits[1] *= -1
    target = TARGETS[name](logits)
    assert target.dtype == torch.float32
    assert bool(target.isfinite().all())


@pytest.mark.parametrize("name", TARGETS)
def test_each_image_by_itself_gives_what_the_batch_gives(name):
    logits = networks(3)
    whole = TARGETS[name](logits)
    for row in range(6):
        labels, one = LABELS[row : row + 1], logits[:, row : row + 1]
        alone = kdcl_target(one, labels, name) if name in KDCL else TARGETS[name](one)
        assert torch.allclose(alone, whole[row : row + 1], rtol=1e-9)


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_input_gives_the_same_bytes_and_an_empty_batch_an_empty_target(name):
    logits = networks(3, 5.0)
    assert torch.equal(TARGETS[name](logits), TARGETS[name](logits.clone()))
    empty = torch.zeros(3, 0, 5)
    got = kdcl_target(empty, LABELS[:0], name) if name in KDCL else TARGETS[name](empty)
    assert got.shape == (0, 5)


@pytest.mark.parametrize("name", TARGETS)
def test_half_precision_is_computed_in_float32_and_double_kept(name):
    half = networks(3).half()
    assert torch.equal(TARGETS[name](half), TARGETS[name](half.float()))
    assert TARGETS[name](networks(3)).dtype == torch.float64


@pytest.mark.parametrize("how", KDCL)
def test_no_gradient_goes_through_the_target(how):
    assert not kdcl_target(networks(2).requires_grad_(), LABELS, how).requires_grad


# the weights of "general"


def test_the_error_correlation_is_the_oracle_and_that_of_batches_their_weighted_mean():
    logits = networks(3)
    whole = error_correlation(logits, LABELS)
    expected = oracle.error_correlation(logits.tolist(), LABELS.tolist())
    assert torch.allclose(whole, torch.tensor(expected, dtype=torch.float64), rtol=1e-12)
    parts = [error_correlation(logits[:, rows], LABELS[rows]) for rows in (slice(0, 4), slice(4, 6))]
    assert torch.allclose((4 * parts[0] + 2 * parts[1]) / 6, whole, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_general_weights_are_the_oracle(count):
    correlation = error_correlation(networks(count, seed=4), LABELS)
    got = general_weights(correlation)
    assert got.tolist() == pytest.approx(oracle.general_weights(correlation.tolist()), rel=1e-9)
    assert float(got.sum()) == pytest.approx(1)


def test_no_other_weights_make_the_averaged_probabilities_err_less():
    logits = networks(3, seed=4)
    correlation = error_correlation(logits, LABELS)
    best = general_weights(correlation)
    truth = torch.nn.functional.one_hot(LABELS, 5)

    def squared_error(weights: torch.Tensor) -> float:
        averaged = torch.einsum("k,kbc->bc", weights, logits.softmax(dim=2))
        return float((averaged - truth).square().sum(dim=1).mean())

    assert squared_error(best) == pytest.approx(float(best @ correlation @ best))
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        other = torch.randn(3, generator=generator, dtype=torch.float64)
        assert squared_error(other / other.sum()) >= squared_error(best)


@pytest.mark.parametrize(
    "logits", [networks(1).expand(3, -1, -1), 1e4 * torch.eye(5)[LABELS].expand(3, -1, -1)]
)
def test_networks_that_err_alike_or_never_weigh_the_same(logits):
    weights = general_weights(error_correlation(logits, LABELS))
    assert weights.tolist() == pytest.approx([1 / 3] * 3)


def test_two_networks_have_the_textbooks_weights_whatever_the_scale():
    a, b, c = 2.0, 1.0, 0.5
    correlation = torch.tensor([[a, c], [c, b]], dtype=torch.float64)
    for scale in (1e-6, 1.0, 1e6):
        expected = [(b - c) / (a + b - 2 * c), (a - c) / (a + b - 2 * c)]
        assert general_weights(scale * correlation).tolist() == pytest.approx(expected)


def test_a_network_and_its_copy_share_what_one_would_get():
    logits = networks(2, seed=4)
    one, two = general_weights(error_correlation(logits, LABELS)).tolist()
    copied = general_weights(error_correlation(logits[[0, 1, 1]], LABELS)).tolist()
    assert copied == pytest.approx([one, two / 2, two / 2])


def test_general_mixes_the_logits_with_the_weights_given_and_takes_the_mean_without():
    logits = networks(3)
    weights = torch.tensor([0.5, 0.7, -0.2])
    mixed = 0.5 * logits[0] + 0.7 * logits[1] - 0.2 * logits[2]
    assert torch.allclose(kdcl_target(logits, LABELS, "general", weights), mixed, rtol=1e-6)
    assert torch.equal(kdcl_target(logits, LABELS, "general"), mean_logits(logits))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mean_logits(networks(2)[0]), r"networks, batch, classes.*got \(6, 5\)"),
        (lambda: mean_probabilities(networks(2)[:0]), "at least one network"),
        (lambda: kdcl_target(networks(2)[0], LABELS, "naive"), r"got \(6, 5\)"),
        (lambda: kdcl_target(networks(2), LABELS[:4], "naive"), "6 integers"),
        (lambda: kdcl_target(networks(2), LABELS + 1, "linear"), r"0 \.\.\. 4"),
        (lambda: kdcl_target(networks(2), LABELS, "best"), "naive, linear, min_logit, general, got 'best'"),
        (
            lambda: kdcl_target(networks(2), LABELS, "naive", torch.ones(2)),
            "Only how='general' takes weights",
        ),
        (lambda: kdcl_target(networks(2), LABELS, "general", torch.ones(3)), "weights must be 2 numbers"),
        (lambda: error_correlation(networks(2)[:, :0], LABELS[:0]), "at least one image"),
        (lambda: error_correlation(networks(2), LABELS.float()), "6 integers"),
        (lambda: general_weights(torch.zeros(2, 3)), r"got \(2, 3\)"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(call, says):
    with pytest.raises(InputError, match=says) as refusal:
        call()
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)

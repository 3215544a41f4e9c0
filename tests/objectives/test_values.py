"""The objectives against plain Python, and the identities of the field."""

import pytest
import torch
from oracles import objectives as oracle
from torch.nn import functional

from kdprobe.objectives import cross_entropy, feature_mse, kd


def batch(*shape: int, seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
def test_cross_entropy_is_the_oracle(seed):
    logits, labels = batch(7, 5, seed=seed), torch.tensor([0, 4, 2, 2, 1, 3, 0])
    expected = oracle.cross_entropy(logits.tolist(), labels.tolist())
    assert torch.allclose(
        cross_entropy(logits, labels), torch.tensor(expected, dtype=torch.float64), rtol=1e-12
    )


@pytest.mark.parametrize("temperature", [1, 2.5, 4, 20])
def test_kd_is_the_oracle(temperature):
    student, teacher = batch(6, 10, seed=1), batch(6, 10, seed=2)
    expected = oracle.kd(student.tolist(), teacher.tolist(), temperature)
    got = kd(student, teacher, temperature=temperature)
    assert torch.allclose(got, torch.tensor(expected, dtype=torch.float64), rtol=1e-10)


def test_kd_by_hand():
    """Two classes, T = 1: teacher (3/4, 1/4), student (1/2, 1/2): 3/4 ln 3/2 + 1/4 ln 1/2 = 0.1308 nats."""
    teacher = torch.tensor([[3.0, 1.0]]).log()
    assert float(kd(torch.zeros(1, 2), teacher, temperature=1.0)) == pytest.approx(0.130812, abs=1e-6)


def test_feature_mse_is_the_oracle():
    student, teacher = batch(4, 3, 2, 2, seed=3), batch(4, 3, 2, 2, seed=4)
    expected = oracle.feature_mse(student.flatten(1).tolist(), teacher.flatten(1).tolist())
    assert torch.allclose(
        feature_mse(student, teacher), torch.tensor(expected, dtype=torch.float64), rtol=1e-12
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_mean_of_kd_over_the_batch_is_torchs_batchmean_times_t_squared(temperature):
    student, teacher = batch(32, 100, seed=5).float(), batch(32, 100, seed=6).float()
    reference = functional.kl_div(
        functional.log_softmax(student / temperature, dim=1),
        functional.softmax(teacher / temperature, dim=1),
        reduction="batchmean",
    )
    assert float(kd(student, teacher, temperature).mean()) == pytest.approx(
        float(reference) * temperature**2, rel=1e-5
    )


def test_the_default_temperature_is_4():
    student, teacher = batch(3, 5, seed=7), batch(3, 5, seed=8)
    assert torch.equal(kd(student, teacher), kd(student, teacher, temperature=4.0))


def test_the_size_of_kds_gradient_hardly_depends_on_the_temperature():
    """Without T² it would fall by a factor near 100 from T = 4 to T = 40."""
    teacher = batch(16, 10, seed=9, scale=1.0)
    norms = []
    for temperature in (4.0, 40.0):
        student = batch(16, 10, seed=10, scale=1.0).requires_grad_()
        kd(student, teacher, temperature).mean().backward()
        norms.append(float(student.grad.norm()))
    assert 0.5 < norms[0] / norms[1] < 2.0


def test_kd_asks_the_student_to_cover_the_teacher_not_the_reverse():
    peaked, flat = torch.tensor([[8.0, 0.0, 0.0]]), torch.zeros(1, 3)
    expected = oracle.kd(flat.tolist(), peaked.tolist(), 1.0)[0]
    assert float(kd(flat, peaked, 1.0)) == pytest.approx(expected, rel=1e-5)
    assert float(kd(peaked, flat, 1.0)) != pytest.approx(expected, rel=0.5)

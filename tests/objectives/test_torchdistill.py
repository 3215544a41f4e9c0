"""Agreement with an implementation that others wrote: torchdistill 1.1.5, which only the tests need."""

import pytest
import torch
from objectives.cases import labels_for, pair

from kdprobe.objectives import cross_entropy, kd

losses = pytest.importorskip(
    "torchdistill.losses.mid_level", reason="torchdistill is not installed (extra: test)"
)


def theirs(student: torch.Tensor, teacher: torch.Tensor, temperature: float, **weights) -> torch.Tensor:
    loss = losses.KDLoss("fc", "output", "fc", "output", temperature=temperature, **weights)
    outputs = ({"fc": {"output": logits}} for logits in (student, teacher))
    return loss(*outputs, targets=labels_for(student))


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.9), (1.0, 2.5)])
def test_labels_and_kd_weighted_are_torchdistills_loss_with_beta_set(temperature, alpha, beta):
    student, teacher = pair(torch.float64, batch=32, classes=10)
    labels = cross_entropy(student, labels_for(student)).mean()
    ours = alpha * labels + beta * kd(student, teacher, temperature).mean()
    assert float(theirs(student, teacher, temperature, alpha=alpha, beta=beta)) == pytest.approx(
        float(ours), rel=1e-9
    )


def test_so_is_the_gradient():
    student, teacher = pair(torch.float64, batch=8, classes=10)
    student.requires_grad_()
    ours = 0.1 * cross_entropy(student, labels_for(student)).mean() + 0.9 * kd(student, teacher, 4.0).mean()
    (mine,) = torch.autograd.grad(ours, student)
    (other,) = torch.autograd.grad(theirs(student, teacher, 4.0, alpha=0.1, beta=0.9), student)
    assert torch.allclose(mine, other, rtol=1e-9)


def test_without_labels_torchdistill_forgets_t_squared():
    """Its alpha = 0 returns the soft term alone, smaller by T²: a trap, not a reference."""
    student, teacher = pair(torch.float64, batch=8, classes=10)
    soft = float(theirs(student, teacher, 4.0, alpha=0, beta=1))
    assert 16 * soft == pytest.approx(float(kd(student, teacher, 4.0).mean()), rel=1e-9)

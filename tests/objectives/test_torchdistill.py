"""Agreement with an implementation that others wrote, torchdistill 1.1.5; where it is wrong, by how much."""

import pytest
import torch
from objectives.cases import labels_for, pair
from objectives.feature_cases import layers
from torch import nn
from torchdistill.losses import mid_level as losses

from kdprobe.objectives import (
    at,
    at_paper,
    cross_entropy,
    find_objective,
    fsp,
    kd,
    pkt,
    rkd_angle,
    rkd_distance,
    sp,
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


# features: torchdistill looks them up by module path and by what goes in or comes out


def found(features: tuple[torch.Tensor, ...]) -> dict:
    return {str(layer): {"output": value} for layer, value in enumerate(features)}


def place(layer: int) -> dict:
    return {"path": str(layer), "io": "output"}


def layer_pairs(count: int) -> dict:
    return {f"pair{k}": {"teacher": place(k), "student": place(k), "weight": 1} for k in range(count)}


def flow_pairs(count: int) -> dict:
    ends = [(whose, end) for whose in ("teacher", "student") for end in ("first", "second")]
    return {
        f"pair{k}": {f"{whose}_{end}": place(k + (end == "second")) for whose, end in ends}
        for k in range(count)
    }


@pytest.mark.parametrize(("mode", "objective"), [("code", at), ("paper", at_paper)])
def test_attention_is_torchdistills_in_either_form_and_so_is_its_gradient(mode, objective):
    student = tuple(each.requires_grad_() for each in layers(0, torch.float64, 8))
    teacher = layers(1, torch.float64, 8, ((7, 6, 6), (2, 4, 4), (5, 2, 2)))
    other = losses.ATLoss(layer_pairs(3), mode=mode)(found(student), found(teacher))
    ours = objective(student, teacher).mean()
    assert float(ours.detach()) == pytest.approx(float(other.detach()), rel=1e-9)
    gradients = (torch.autograd.grad(loss, student) for loss in (ours, other))
    assert all(torch.allclose(a, b, rtol=1e-8) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(("distance", "angle"), [(1.0, 0.0), (0.0, 1.0), (25.0, 50.0)])
def test_relations_of_distance_and_angle_are_torchdistills_and_so_is_their_gradient(distance, angle):
    student, teacher = pair(torch.float64, batch=9, classes=7)
    student.requires_grad_()
    other = losses.RKDLoss("0", "0", distance, angle, "mean")(found((student,)), found((teacher,)))
    ours = distance * rkd_distance(student, teacher).mean() + angle * rkd_angle(student, teacher).mean()
    assert float(ours.detach()) == pytest.approx(float(other.detach()), rel=1e-9)
    mine, its = (torch.autograd.grad(loss, student)[0] for loss in (ours, other))
    assert torch.allclose(mine, its, rtol=1e-6, atol=1e-10)


def test_probabilistic_transfer_is_torchdistills_and_so_is_its_gradient():
    student, teacher = pair(torch.float64, batch=9, classes=7)
    student.requires_grad_()
    other = losses.PKTLoss("0", "output", "0", "output")(found((student,)), found((teacher,)))
    ours = pkt(student, teacher).mean()
    assert float(ours.detach()) == pytest.approx(float(other.detach()), rel=1e-9)
    mine, its = (torch.autograd.grad(loss, student)[0] for loss in (ours, other))
    assert torch.allclose(mine, its, rtol=1e-6, atol=1e-12)


def test_torchdistill_divides_the_rows_of_similarities_by_their_sum_and_not_by_their_norm():
    """Gram matrices [[1, 1], [1, 2]] and the identity. By the sum: 2 (1/2)² + 2 (1/3)² = 13/18; by the norm as the
    paper has it: 2 - √2 + 2 - 4/√5. Both over B² = 4."""
    student, teacher = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.eye(2)
    other = losses.SPKDLoss("0", "0", "batchmean")(found((student,)), found((teacher,)))
    assert float(other) == pytest.approx(13 / 18 / 4, rel=1e-5)
    assert float(sp(student, teacher).mean()) == pytest.approx((4 - 2**0.5 - 4 / 5**0.5) / 4, rel=1e-5)


def test_torchdistill_adds_up_norms_of_flow_where_squares_are_meant():
    """Flow matrices [[3, 6], [4, 8]] and zero. Norms of the columns: 5 + 10; squares: 125, of four entries 31.25."""
    first, second = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1), torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1)
    teacher = (torch.zeros_like(first), second)
    other = losses.FSPLoss(flow_pairs(1))(found((first, second)), found(teacher))
    assert float(other) == pytest.approx(15)
    assert float(fsp((first, second), teacher)) == pytest.approx(125 / 4)


def test_torchdistills_activation_boundaries_lack_the_scale_of_3_in_1000():
    """Student 0.5 and -2, teacher below and above 0, margin 1: (0.5 + 1)² + (-2 - 1)² = 11.25, times 3/1000."""
    student, teacher = (
        torch.tensor([0.5, -2.0]).reshape(1, 2, 1, 1),
        torch.tensor([-1.0, 1.0]).reshape(1, 2, 1, 1),
    )
    other = losses.AltActTransferLoss(layer_pairs(1), 1.0, "mean")(found((student,)), found((teacher,)))
    assert float(other) == pytest.approx(11.25)
    given = {"student_features": (student,), "teacher_features": (teacher,)}
    ours = find_objective("ab")(given)
    ours.connectors[0] = nn.Identity()
    assert float(ours(**given)) == pytest.approx(0.03375, rel=1e-6)

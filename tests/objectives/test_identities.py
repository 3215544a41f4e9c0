"""What the papers claim of their losses, and how the losses hang together."""

import pytest
import torch
from objectives.cases import pair
from torch.nn import functional

from kdprobe.objectives import (
    class_wise,
    cross_entropy,
    cwtm,
    dkd,
    dkpp,
    generalised,
    kd,
    kd_mean,
    label_smoothing,
    label_smoothing_tfkd,
    logit_regression,
    nckd,
    tckd,
    virtual_teacher,
)
from kdprobe.objectives.dkpp import permuted

LABELS = torch.tensor([0, 2, 5, 3])


def doubles(**shape) -> tuple[torch.Tensor, torch.Tensor]:
    return pair(torch.float64, **shape)


def gradient(values, student: torch.Tensor) -> torch.Tensor:
    student = student.clone().requires_grad_()
    return torch.autograd.grad(values(student).sum(), student)[0]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Hinton et al. 2015


def test_the_size_of_kds_gradient_hardly_depends_on_a_high_temperature():
    """Without T² it would fall by a factor of 100 from T = 20 to T = 200."""
    student, teacher = doubles()
    norms = [float(gradient(lambda s, t=t: kd(s, teacher, t), student).norm()) for t in (4.0, 20.0, 200.0)]
    assert norms[1] / norms[2] == pytest.approx(1, abs=0.1)
    assert 0.5 < norms[0] / norms[2] < 2.0


def test_kd_at_a_high_temperature_is_regression_to_logits_of_mean_zero():
    """Section 2.1: the gradient tends to (s - t) / C, so T² KL to ‖s - t‖² / 2C, if both have mean zero."""
    student, teacher = (v - v.mean(dim=1, keepdim=True) for v in doubles())
    assert torch.allclose(kd(student, teacher, 1e4), logit_regression(student, teacher) / 6, rtol=1e-3)
    hot = gradient(lambda s: kd(s, teacher, 1e4), student)
    assert torch.allclose(hot, (student - teacher) / 6, atol=1e-3)
    assert torch.allclose(kd(student + 5, teacher, 1e4), kd(student, teacher, 1e4), rtol=1e-3)


def test_the_gradient_of_logit_regression_is_the_difference():
    student, teacher = doubles()
    assert torch.allclose(gradient(lambda s: logit_regression(s, teacher), student), student - teacher)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_a_temperature_is_a_scale_of_the_logits(temperature):
    student, teacher = doubles()
    scaled = temperature**2 * kd(student / temperature, teacher / temperature, 1.0)
    assert torch.allclose(kd(student, teacher, temperature), scaled, rtol=1e-12)


def test_the_names_of_the_classes_do_not_matter():
    student, teacher = doubles()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(kd(student[:, order], teacher[:, order]), kd(student, teacher), rtol=1e-12)


def test_kd_mean_is_smaller_by_the_number_of_classes():
    student, teacher = doubles(classes=100)
    assert torch.allclose(100 * kd_mean(student, teacher), kd(student, teacher), rtol=1e-12)


# Lopez-Paz et al. 2016


def test_imitation_at_temperature_one_is_kd_plus_the_teachers_entropy():
    student, teacher = doubles()
    p = teacher.softmax(dim=1)
    assert torch.allclose(
        generalised(student, teacher), kd(student, teacher, 1.0) - (p * p.log()).sum(dim=1), rtol=1e-12
    )


def test_a_cold_teacher_is_imitated_as_a_label_and_a_hot_one_as_no_label_at_all():
    student, teacher = doubles()
    assert torch.allclose(
        generalised(student, teacher, 1e-4), cross_entropy(student, teacher.argmax(dim=1)), rtol=1e-9
    )
    uniform = -torch.log_softmax(student, dim=1).mean(dim=1)
    assert torch.allclose(generalised(student, teacher, 1e9), uniform, rtol=1e-6)


# Zhao et al. 2022


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("scale", [1, 30])
@pytest.mark.parametrize("classes", [2, 6, 1000])
def test_kd_is_tckd_plus_the_rest_of_the_teachers_probability_times_nckd(temperature, scale, classes):
    student, teacher = (scale * v for v in doubles(classes=classes))
    labels = LABELS % classes
    p = (teacher / temperature).softmax(dim=1).gather(1, labels[:, None])[:, 0]
    parts = tckd(student, teacher, labels, temperature) + (1 - p) * nckd(
        student, teacher, labels, temperature
    )
    assert torch.allclose(parts, kd(student, teacher, temperature), rtol=1e-9, atol=1e-12)


def test_dkd_with_beta_the_rest_of_the_teachers_probability_is_kd():
    student, teacher = doubles()
    for row, label in enumerate(LABELS.tolist()):
        one = slice(row, row + 1)
        beta = 1 - float((teacher[row] / 4).softmax(dim=0)[label])
        got = dkd(student[one], teacher[one], LABELS[one], 1.0, beta, 4.0)
        assert torch.allclose(got, kd(student[one], teacher[one], 4.0), rtol=1e-12)


def test_of_two_classes_dkd_sees_only_the_target():
    student, teacher = doubles(classes=2)
    labels = LABELS % 2
    assert torch.equal(nckd(student, teacher, labels), torch.zeros(4, dtype=torch.float64))
    assert torch.allclose(tckd(student, teacher, labels), kd(student, teacher), rtol=1e-12)


def test_nckd_is_blind_to_the_true_class_and_tckd_to_the_order_of_the_others():
    student, teacher = doubles()
    moved = student.scatter_add(1, LABELS[:, None], torch.full((4, 1), 50.0, dtype=torch.float64))
    assert torch.equal(nckd(moved, teacher, LABELS), nckd(student, teacher, LABELS))
    assert bool((gradient(lambda s: nckd(s, teacher, LABELS), student).gather(1, LABELS[:, None]) == 0).all())
    swapped = student[:1, [0, 5, 4, 3, 2, 1]]
    assert torch.allclose(
        tckd(swapped, teacher[:1], LABELS[:1]), tckd(student[:1], teacher[:1], LABELS[:1]), rtol=1e-12
    )


# label smoothing and Tf-KD


@pytest.mark.parametrize("alpha", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("classes", [6, 100])
def test_the_two_conventions_of_label_smoothing_agree_at_alpha_times_c_minus_1_over_c(alpha, classes):
    student, _ = doubles(classes=classes)
    ours = label_smoothing_tfkd(student, LABELS, alpha * (classes - 1) / classes)
    assert torch.allclose(ours, label_smoothing(student, LABELS, alpha), rtol=1e-12)
    assert not torch.allclose(label_smoothing_tfkd(student, LABELS, alpha), ours, rtol=1e-6)


def test_label_smoothing_is_labels_mixed_with_a_uniform_teacher():
    student, _ = doubles()
    uniform = kd(student, torch.zeros_like(student), 1.0) + torch.tensor(6.0, dtype=torch.float64).log()
    mixed = 0.7 * cross_entropy(student, LABELS) + 0.3 * uniform
    assert torch.allclose(label_smoothing(student, LABELS, 0.3), mixed, rtol=1e-12)
    for smoothing in (label_smoothing, label_smoothing_tfkd):
        assert torch.allclose(smoothing(student, LABELS, 0.0), cross_entropy(student, LABELS), rtol=1e-12)


def target_of(objective, classes: int) -> torch.Tensor:
    """What a loss on softmax(student) asks for, read off its gradient q - target at a uniform student."""
    zero = torch.zeros(1, classes, dtype=torch.float64)
    return 1 / classes - gradient(objective, zero)[0]


def test_the_released_virtual_teacher_of_100_classes_at_temperature_20_is_nearly_uniform():
    target = target_of(lambda s: virtual_teacher(s, torch.tensor([7])), 100)
    assert float(target[7]) == pytest.approx(0.0105, abs=5e-5)
    assert float(target[8]) == pytest.approx((1 - float(target[7])) / 99, rel=1e-9)


@pytest.mark.parametrize(("form", "true"), [("paper", 0.9), ("released", None)])
def test_at_temperature_one_only_the_papers_virtual_teacher_is_as_sure_as_said(form, true):
    target = target_of(lambda s: virtual_teacher(s, torch.tensor([2]), 0.9, 1.0, form), 5)
    released = float(torch.tensor([0.025, 0.025, 0.9, 0.025, 0.025]).softmax(dim=0)[2])
    assert float(target[2]) == pytest.approx(true or released, rel=1e-6)
    assert float(target.sum()) == pytest.approx(1)


def test_a_hot_virtual_teacher_smooths_labels_altogether():
    student, _ = doubles()
    uniform = kd(student, torch.zeros_like(student), 1.0)
    assert torch.allclose(virtual_teacher(student, LABELS, temperature=1e9), uniform, rtol=1e-6)


# Yun et al. 2020


def test_class_wise_is_kd_with_the_partner_as_teacher():
    student, partner = doubles()
    assert torch.equal(class_wise(student, partner, 3.0), kd(student, partner, 3.0))


# Furlanello et al. 2018


def test_the_mean_of_cwtm_is_the_weighted_mean_of_the_cross_entropies():
    student, teacher = doubles()
    weight = teacher.softmax(dim=1).max(dim=1).values
    mean = (weight * cross_entropy(student, LABELS)).sum() / weight.sum()
    assert torch.allclose(cwtm(student, teacher, LABELS).mean(), mean, rtol=1e-12)


def test_cwtm_reads_only_the_teachers_largest_probability():
    student, teacher = doubles()
    assert torch.allclose(
        cwtm(student, teacher.flip(1) + 3, LABELS), cwtm(student, teacher, LABELS), rtol=1e-12
    )
    plain = cross_entropy(student, LABELS)
    assert torch.allclose(cwtm(student, teacher[:1].expand(4, -1), LABELS), plain, rtol=1e-12)
    assert torch.allclose(cwtm(student[:1], teacher[:1], LABELS[:1]), plain[:1], rtol=1e-12)
    surest = int(teacher.softmax(dim=1).max(dim=1).values.argmax())
    assert float(cwtm(student, teacher, LABELS)[surest]) > float(plain[surest])


def test_dkpp_keeps_sum_maximum_and_argmax_of_the_target_and_all_its_values():
    _, teacher = doubles(batch=64, classes=10)
    target = permuted(teacher, draws())
    p, q = teacher.softmax(dim=1), target.softmax(dim=1)
    assert torch.allclose(q.sum(dim=1), torch.ones(64, dtype=torch.float64), rtol=1e-12)
    assert torch.allclose(q.max(dim=1).values, p.max(dim=1).values, rtol=1e-12)
    assert torch.equal(target.argmax(dim=1), teacher.argmax(dim=1))
    assert torch.equal(target.sort(dim=1).values, teacher.sort(dim=1).values)
    assert bool((target != teacher).any(dim=1).all())


def test_dkpp_draws_every_order_equally_often_and_for_each_row_anew():
    """Four classes, the first the largest: 6 orders of the others, 1000 times each, within 5 standard deviations."""
    teacher = torch.tensor([[9.0, 1.0, 2.0, 3.0]]).repeat(6000, 1)
    orders, counts = permuted(teacher, draws()).unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert int((counts - 1000).abs().max()) < 5 * (6000 * (1 / 6) * (5 / 6)) ** 0.5


def test_dkpp_depends_on_its_generator_and_on_nothing_else_that_is_random():
    student, teacher = doubles(classes=20)
    before = torch.get_rng_state()
    first = dkpp(student, teacher, draws(1))
    torch.manual_seed(5)
    assert torch.equal(dkpp(student, teacher, draws(1)), first)
    torch.set_rng_state(before)
    assert not torch.equal(dkpp(student, teacher, draws(2)), first)
    generator = draws(1)
    assert not torch.equal(dkpp(student, teacher, generator), dkpp(student, teacher, generator))
    assert torch.equal(before, torch.get_rng_state())


def test_dkpp_with_nothing_to_permute_is_kd():
    student, teacher = doubles(classes=2)
    assert torch.equal(dkpp(student, teacher, draws(), 3.0), kd(student, teacher, 3.0))
    student, teacher = doubles()
    alike = functional.one_hot(LABELS, 6) * 2.5
    assert torch.equal(dkpp(student, alike, draws(), 3.0), kd(student, alike, 3.0))

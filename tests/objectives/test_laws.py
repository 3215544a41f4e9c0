"""What holds for every objective of the outputs, and for one plain loss on features."""

import pytest
import torch
from objectives.cases import CASES, arguments, labels_for, pair, value
from objectives.connector_cases import NAMES as CONNECTORS
from objectives.feature_cases import FEATURE_CASES
from objectives.relation_cases import RELATION_CASES

from kdprobe.objectives import OBJECTIVES

CLASSES = 6
AT_REST = [name for name, case in CASES.items() if case.rests]
SHIFTING = [name for name, case in CASES.items() if case.shift]
WITH_FLOOR = [name for name, case in CASES.items() if case.floor]
BY_ROW = [name for name, case in CASES.items() if case.alone]

AWKWARD = {
    "zero": torch.zeros(4, CLASSES),
    "constant": torch.full((4, CLASSES), 7.0),
    "duplicate rows": torch.randn(1, CLASSES, generator=torch.Generator().manual_seed(0)).repeat(4, 1),
    "huge": 1e4 * torch.eye(4, CLASSES),
    "huge and negative": -1e4 * torch.eye(4, CLASSES),
    "huge of both signs": 1e4 * torch.tensor([1.0, -1.0]).repeat(4, CLASSES // 2),
}


def test_every_objective_is_in_one_of_the_tables():
    assert sorted([*CASES, *FEATURE_CASES, *RELATION_CASES, *CONNECTORS, "crd"]) == sorted(OBJECTIVES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("batch", "classes"), [(4, 6), (1, 6), (3, 2), (1, 2), (2, 1000)])
def test_one_finite_value_per_sample_for_two_to_a_thousand_classes_and_a_batch_of_one(name, batch, classes):
    values = value(name, *pair(batch=batch, classes=classes))
    assert values.shape == (batch,)
    assert bool(values.isfinite().all())
    assert bool((values > 0).all()) != (CASES[name].single and classes == 2)


@pytest.mark.parametrize("name", BY_ROW)
def test_only_its_own_row_decides_a_value(name):
    student, target = pair()
    given = arguments(name, student, target)
    alone = {key: values[2:3] for key, values in given.items()}
    assert torch.allclose(OBJECTIVES[name](**alone), OBJECTIVES[name](**given)[2:3], rtol=1e-6)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.draws])
def test_a_permuted_batch_gives_permuted_values(name):
    order = torch.tensor([2, 0, 3, 1])
    given = arguments(name, *pair())
    permuted = {key: values[order] for key, values in given.items()}
    assert torch.allclose(OBJECTIVES[name](**permuted), OBJECTIVES[name](**given)[order], rtol=1e-6)


@pytest.mark.parametrize("name", AT_REST)
@pytest.mark.parametrize("case", AWKWARD)
def test_zero_with_zero_gradient_when_student_equals_its_target(name, case):
    student = AWKWARD[case].clone().requires_grad_()
    values = value(name, student, AWKWARD[case])
    values.sum().backward()
    assert torch.equal(values, torch.zeros(4))
    assert float(student.grad.abs().max()) < 1e-5


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(5))
def test_never_below_zero_and_above_it_when_student_and_target_differ(name, seed):
    assert bool((value(name, *pair(batch=32, seed=seed)) > 0).all())


@pytest.mark.parametrize("name", WITH_FLOOR)
def test_never_below_the_documented_minimum_and_down_to_it_by_descent(name):
    """The minimum is computed from the target alone; gradient descent on the student finds the same number."""
    student, target = pair(torch.float64)
    floor = torch.tensor(
        [
            CASES[name].floor(row.tolist(), int(label), CLASSES)
            for row, label in zip(target, labels_for(student), strict=True)
        ],
        dtype=torch.float64,
    )
    assert bool((value(name, student, target) > floor).all())
    free = torch.zeros_like(student).requires_grad_()
    optimiser = torch.optim.LBFGS([free], max_iter=500, tolerance_grad=1e-12, tolerance_change=0)

    def closure():
        optimiser.zero_grad()
        total = value(name, free, target).sum()
        total.backward()
        return total

    optimiser.step(closure)
    assert torch.allclose(value(name, free, target).detach(), floor, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("of_student", AWKWARD)
@pytest.mark.parametrize("of_target", AWKWARD)
def test_finite_values_and_gradients_on_awkward_rows(name, of_student, of_target):
    student = AWKWARD[of_student].clone().requires_grad_()
    values = value(name, student, AWKWARD[of_target])
    values.sum().backward()
    assert bool(values.isfinite().all()) and bool(student.grad.isfinite().all())
    assert bool((values >= -1e-3).all())


@pytest.mark.parametrize("name", SHIFTING)
def test_a_constant_added_to_a_row_of_the_student_changes_nothing(name):
    student, target = pair(torch.float64)
    shift = torch.tensor([[3.0], [-40.0], [0.5], [100.0]], dtype=torch.float64)
    assert torch.allclose(value(name, student + shift, target), value(name, student, target), rtol=1e-10)


@pytest.mark.parametrize("name", [name for name in CASES if name not in SHIFTING])
def test_the_regressions_see_a_constant_added_to_the_student(name):
    student, target = pair()
    assert not bool((value(name, student + 3, target) - value(name, student, target)).abs().lt(1).any())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    student, target = pair(dtype)
    values = value(name, 1000 * student, target)
    assert values.dtype == torch.float32
    assert torch.equal(values, value(name, (1000 * student).float(), target.float()))


@pytest.mark.parametrize("name", CASES)
def test_double_precision_is_kept(name):
    assert value(name, *pair(torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_autograds_own_check(name):
    student, target = pair(torch.float64)
    assert torch.autograd.gradcheck(lambda s: value(name, s, target), (student.requires_grad_(),))


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_central_differences(name):
    student, target = pair(torch.float64)
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(value(name, student, target).sum(), student)
    step = 1e-5
    for row, column in [(0, 0), (1, 3), (3, 5)]:
        nudge = torch.zeros_like(student)
        nudge[row, column] = step
        above, below = (value(name, student.detach() + sign * nudge, target).sum() for sign in (1, -1))
        assert float(above - below) / (2 * step) == pytest.approx(float(gradient[row, column]), abs=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_descent_along_the_gradient_brings_every_sample_down(name):
    student, target = pair(torch.float64)
    student.requires_grad_()
    before = value(name, student, target)
    (gradient,) = torch.autograd.grad(before.sum(), student)
    assert bool((value(name, student - 1e-3 * gradient, target) <= before).all())
    assert bool((gradient != 0).any(dim=1).all())


@pytest.mark.parametrize("name", CASES)
def test_an_empty_batch_gives_no_values(name):
    empty = torch.zeros(0, CLASSES)
    assert value(name, empty, empty).shape == (0,)


@pytest.mark.parametrize("name", ["class_wise", "view_consistency", "ensemble_kd"])
def test_no_gradient_reaches_what_the_student_is_compared_with(name):
    student, target = (v.requires_grad_() for v in pair())
    value(name, student, target).sum().backward()
    assert target.grad is None
    assert float(student.grad.abs().max()) > 0

"""What holds for every objective that looks inside the networks."""

import pytest
import torch
from objectives.feature_cases import FEATURE_CASES, SHAPES, layers, used, value

EVERY = pytest.mark.parametrize("name", FEATURE_CASES)

AWKWARD = {
    "zero": tuple(torch.zeros(4, *shape) for shape in SHAPES),
    "constant": tuple(torch.full((4, *shape), 7.0) for shape in SHAPES),
    "duplicate rows": tuple(each.expand(4, -1, -1, -1).clone() for each in layers(0, batch=1)),
    "dead channels": tuple(each * (torch.arange(each.shape[1]) % 2)[:, None, None] for each in layers(1)),
    "one dead image": tuple(each * torch.tensor([0, 1, 1, 1])[:, None, None, None] for each in layers(2)),
    "all below zero": tuple(-each.abs() for each in layers(3)),
    "huge": tuple(1e4 * each for each in layers(4)),
    "tiny": tuple(1e-30 * each for each in layers(5)),
}


def learning(features: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(each.clone().requires_grad_() for each in features)


def gradients(name: str, student: tuple, teacher: tuple) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(value(name, student, teacher).sum(), used(name, student))


@EVERY
@pytest.mark.parametrize("batch", [2, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_one_finite_value_per_image_above_zero_when_student_and_teacher_differ(name, batch, seed):
    values = value(name, layers(seed, batch=batch), layers(seed + 100, batch=batch))
    assert values.shape == (batch,)
    assert bool(values.isfinite().all()) and bool((values > 0).all())


@EVERY
def test_a_batch_of_one_has_a_value_and_an_empty_one_has_none(name):
    (single,) = value(name, layers(0, batch=1), layers(1, batch=1))
    assert (float(single) > 0) == FEATURE_CASES[name].alone
    assert value(name, layers(0, batch=0), layers(1, batch=0)).shape == (0,)


@pytest.mark.parametrize("name", [name for name, case in FEATURE_CASES.items() if case.alone])
def test_only_its_own_row_decides_a_value(name):
    student, teacher = layers(0), layers(1)
    alone = value(name, tuple(each[2:3] for each in student), tuple(each[2:3] for each in teacher))
    assert torch.allclose(alone, value(name, student, teacher)[2:3], rtol=1e-5)


@EVERY
def test_a_permuted_batch_gives_permuted_values(name):
    order = torch.tensor([2, 0, 3, 1])
    student, teacher = layers(0), layers(1)
    permuted = value(name, tuple(each[order] for each in student), tuple(each[order] for each in teacher))
    assert torch.allclose(permuted, value(name, student, teacher)[order], rtol=1e-5)


@EVERY
@pytest.mark.parametrize("case", AWKWARD)
def test_zero_with_zero_gradient_when_student_equals_its_teacher(name, case):
    student = learning(AWKWARD[case])
    assert torch.equal(value(name, student, AWKWARD[case]), torch.zeros(4))
    for gradient in gradients(name, student, AWKWARD[case]):
        assert float(gradient.abs().max()) < 1e-5


@EVERY
@pytest.mark.parametrize("of_student", AWKWARD)
@pytest.mark.parametrize("of_teacher", AWKWARD)
def test_finite_values_and_gradients_on_awkward_layers(name, of_student, of_teacher):
    student = learning(AWKWARD[of_student])
    values = value(name, student, AWKWARD[of_teacher])
    assert bool(values.isfinite().all()) and bool((values >= -1e-5).all())
    for gradient in gradients(name, student, AWKWARD[of_teacher]):
        assert bool(gradient.isfinite().all())


@EVERY
def test_the_layers_of_an_image_that_says_nothing_get_no_gradient_that_would_blow_up_a_step(name):
    student = learning(AWKWARD["one dead image"])
    for gradient in gradients(name, student, layers(9)):
        assert float(gradient.abs().max()) < 1e3


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    student, teacher = (tuple(1000 * each for each in layers(seed, dtype)) for seed in (0, 1))
    values = value(name, student, teacher)
    assert values.dtype == torch.float32 and bool(values.isfinite().all())
    full = (tuple(each.float() for each in features) for features in (student, teacher))
    assert torch.equal(values, value(name, *full))


@EVERY
def test_double_precision_is_kept(name):
    assert value(name, layers(0, torch.float64), layers(1, torch.float64)).dtype == torch.float64


@EVERY
def test_gradients_are_those_of_autograds_own_check(name):
    student, teacher = learning(layers(0, torch.float64, 3)), layers(1, torch.float64, 3)
    assert torch.autograd.gradcheck(lambda *s: value(name, s, teacher), student)


@EVERY
def test_gradients_are_those_of_central_differences(name):
    student, teacher = learning(layers(0, torch.float64)), layers(1, torch.float64)
    step = 1e-5
    for layer, gradient in zip(used(name, student), gradients(name, student, teacher), strict=True):
        for place in ((0, 0, 0, 0), (1, 2, 1, 0), (3, 1, 0, 1)):
            found = []
            for sign in (1, -1):
                moved = tuple(each.detach().clone() for each in student)
                moved[[each is layer for each in student].index(True)][place] += sign * step
                found.append(float(value(name, moved, teacher).sum()))
            assert (found[0] - found[1]) / (2 * step) == pytest.approx(float(gradient[place]), abs=1e-7)


@EVERY
def test_descent_along_the_gradient_brings_the_loss_down_and_moves_every_layer(name):
    student, teacher = learning(layers(0, torch.float64)), layers(1, torch.float64)
    before, found = value(name, student, teacher), iter(gradients(name, student, teacher))
    looked_at = used(name, student)
    moved = tuple(s - 1e-3 * next(found) if any(s is u for u in looked_at) else s for s in student)
    assert bool(value(name, moved, teacher).mean() < before.mean())
    assert all(bool((gradient != 0).any()) for gradient in gradients(name, student, teacher))


@EVERY
@pytest.mark.parametrize("factor", [0.01, 3.0])
def test_the_scale_of_the_students_features_counts_only_where_it_should(name, factor):
    student, teacher = layers(0, torch.float64), layers(1, torch.float64)
    scaled = value(name, tuple(factor * each for each in student), teacher)
    assert torch.allclose(scaled, value(name, student, teacher), rtol=1e-9) == FEATURE_CASES[name].scale

"""What holds for every objective."""

import pytest
import torch

from kdprobe.errors import InputError
from kdprobe.objectives import OBJECTIVES, objective_inputs

CLASSES = 6
AT_REST_WHEN_EQUAL = ("kd", "feature_mse")

AWKWARD = {
    "zero": torch.zeros(4, CLASSES),
    "constant": torch.full((4, CLASSES), 7.0),
    "duplicate rows": torch.randn(1, CLASSES, generator=torch.Generator().manual_seed(0)).repeat(4, 1),
    "huge": 1e4 * torch.eye(4, CLASSES),
    "huge and negative": -1e4 * torch.eye(4, CLASSES),
}


def arguments(name: str, student: torch.Tensor, teacher: torch.Tensor) -> dict[str, torch.Tensor]:
    values = {
        "student_logits": student,
        "student_feature": student,
        "teacher_logits": teacher,
        "teacher_feature": teacher,
        "labels": torch.arange(len(student)) % CLASSES,
    }
    return {key: values[key] for key in objective_inputs(OBJECTIVES[name], {})}


def pair(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return tuple(torch.randn(4, CLASSES, generator=generator).to(dtype) for _ in range(2))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_one_value_per_sample_that_only_its_own_row_decides(name):
    student, teacher = pair()
    whole = OBJECTIVES[name](**arguments(name, student, teacher))
    assert whole.shape == (4,)
    alone = {k: v[2:3] for k, v in arguments(name, student, teacher).items()}
    assert torch.allclose(OBJECTIVES[name](**alone), whole[2:3])


@pytest.mark.parametrize("name", AT_REST_WHEN_EQUAL)
@pytest.mark.parametrize("case", AWKWARD)
def test_zero_with_zero_gradient_when_student_equals_teacher(name, case):
    student = AWKWARD[case].clone().requires_grad_()
    values = OBJECTIVES[name](**arguments(name, student, AWKWARD[case]))
    values.sum().backward()
    assert torch.equal(values, torch.zeros(4))
    assert float(student.grad.abs().max()) < 1e-5


@pytest.mark.parametrize("name", OBJECTIVES)
def test_positive_when_they_differ(name):
    student, teacher = pair()
    assert bool((OBJECTIVES[name](**arguments(name, student, teacher)) > 0).all())


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("of_student", AWKWARD)
@pytest.mark.parametrize("of_teacher", AWKWARD)
def test_finite_values_and_gradients_on_awkward_rows(name, of_student, of_teacher):
    student = AWKWARD[of_student].clone().requires_grad_()
    values = OBJECTIVES[name](**arguments(name, student, AWKWARD[of_teacher]))
    values.sum().backward()
    assert bool(values.isfinite().all()) and bool(student.grad.isfinite().all())


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    student, teacher = pair(dtype)
    values = OBJECTIVES[name](**arguments(name, 1000 * student, teacher))
    exact = OBJECTIVES[name](**arguments(name, (1000 * student).float(), teacher.float()))
    assert values.dtype == torch.float32
    assert torch.equal(values, exact)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_double_precision_is_kept(name):
    assert OBJECTIVES[name](**arguments(name, *pair(torch.float64))).dtype == torch.float64


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_those_of_finite_differences(name):
    student, teacher = pair(torch.float64)
    given = arguments(name, student.requires_grad_(), teacher)
    trained = next(key for key in given if key.startswith("student"))
    rest = {key: value for key, value in given.items() if key != trained}
    assert torch.autograd.gradcheck(lambda s: OBJECTIVES[name](**{trained: s}, **rest), (student,))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_empty_batch_gives_no_values(name):
    empty = torch.zeros(0, CLASSES)
    assert OBJECTIVES[name](**arguments(name, empty, empty)).shape == (0,)


@pytest.mark.parametrize("name", AT_REST_WHEN_EQUAL)
def test_shapes_that_differ_are_refused_and_named(name):
    student, _ = pair()
    with pytest.raises(InputError, match=r"\(4, 6\) and \(4, 5\)"):
        OBJECTIVES[name](**arguments(name, student, student[:, :5]))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (torch.tensor([0, 1, 2, 6]), r"0 \.\.\. 5"),
        (torch.tensor([0, 1, 2, -100]), r"0 \.\.\. 5"),
        (torch.tensor([0, 1, 2]), "4 integers"),
        (torch.tensor([0.0, 1.0, 2.0, 3.0]), "4 integers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, says):
    with pytest.raises(InputError, match=says):
        OBJECTIVES["cross_entropy"](pair()[0], labels)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(InputError, match="temperature must be above 0"):
        OBJECTIVES["kd"](*pair(), temperature=temperature)
